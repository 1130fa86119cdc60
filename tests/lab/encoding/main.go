// Writes the table by which aifix reads the binary form of the built-in kinds, from their Go types.
//
//	cd tests/lab/encoding && go run . > ../../../src/cluster/protobuf/shapes.txt
//	cd tests/lab/encoding && go run . samples > ../../it/protobuf/samples.jsonl
//
// One line per type: its name, a tab, and `field:number:shape` for each field, `-` for one whose own fields stand in
// its place. A shape is `s` text, `i` integer, `b` boolean, `y` bytes, `t` a time, `u` a time with microseconds,
// `q` a quantity, `x` integer or text, `r` JSON, `[]` and a shape a list, `{}` and a shape a map, else the name of a
// type; `!` before one that JSON shows when it is zero. Lines of kinds begin with `@group/version/Kind`.
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var kinds = map[string][]any{
	"v1": {
		core.ConfigMap{}, core.Endpoints{}, core.Event{}, core.LimitRange{}, core.Namespace{}, core.Node{},
		core.PersistentVolume{}, core.PersistentVolumeClaim{}, core.Pod{}, core.ReplicationController{},
		core.ResourceQuota{}, core.Secret{}, core.Service{}, core.ServiceAccount{}, meta.Status{},
	},
	"apps/v1": {
		apps.ControllerRevision{}, apps.DaemonSet{}, apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{},
	},
	"batch/v1":             {batch.CronJob{}, batch.Job{}},
	"autoscaling/v2":       {autoscaling.HorizontalPodAutoscaler{}},
	"discovery.k8s.io/v1":  {discovery.EndpointSlice{}},
	"meta.k8s.io/v1":       {meta.PartialObjectMetadata{}},
	"networking.k8s.io/v1": {networking.Ingress{}, networking.IngressClass{}, networking.NetworkPolicy{}},
	"node.k8s.io/v1":       {node.RuntimeClass{}},
	"policy/v1":            {policy.PodDisruptionBudget{}},
	"rbac.authorization.k8s.io/v1": {
		rbac.ClusterRole{}, rbac.ClusterRoleBinding{}, rbac.Role{}, rbac.RoleBinding{},
	},
	"scheduling.k8s.io/v1": {scheduling.PriorityClass{}},
	"storage.k8s.io/v1":    {storage.CSIDriver{}, storage.StorageClass{}},
	"admissionregistration.k8s.io/v1": {
		admission.MutatingWebhookConfiguration{}, admission.ValidatingWebhookConfiguration{},
	},
}

// Types with a JSON form of their own.
var special = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):            "t",
	reflect.TypeOf(meta.MicroTime{}):       "u",
	reflect.TypeOf(resource.Quantity{}):    "q",
	reflect.TypeOf(intstr.IntOrString{}):   "x",
	reflect.TypeOf(runtime.RawExtension{}): "r",
	reflect.TypeOf(meta.FieldsV1{}):        "r",
}

var (
	names = map[string]reflect.Type{}
	lines []string
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "samples" {
		samples()
		return
	}
	for _, version := range slices.Sorted(maps.Keys(kinds)) {
		for _, one := range kinds[version] {
			of := reflect.TypeOf(one)
			line("@"+version+"/"+of.Name(), of)
		}
	}
	shape(reflect.TypeOf(meta.ListMeta{}))
	slices.Sort(lines)
	fmt.Println(strings.Join(lines, "\n"))
}

func line(title string, of reflect.Type) {
	var fields []string
	for at := 0; at < of.NumField(); at++ {
		field := of.Field(at)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		wire := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(wire) < 3 || name == "-" {
			continue
		}
		if name == "" {
			name = "-"
		}
		shown := shape(field.Type)
		isScalar := len(strings.TrimPrefix(shown, "*")) == 1 && strings.Contains("sib", shown[len(shown)-1:])
		isPointer := strings.HasPrefix(shown, "*")
		shown = strings.TrimPrefix(shown, "*")
		if isScalar && (isPointer || !strings.Contains(options, "omit")) {
			shown = "!" + shown
		}
		fields = append(fields, name+":"+wire[1]+":"+shown)
	}
	lines = append(lines, title+"\t"+strings.Join(fields, " "))
}

func shape(of reflect.Type) string {
	if known, ok := special[of]; ok {
		return known
	}
	switch of.Kind() {
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int32, reflect.Int64:
		return "i"
	case reflect.Pointer:
		return "*" + shape(of.Elem())
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		return "[]" + shape(of.Elem())
	case reflect.Map:
		if of.Key().Kind() == reflect.String {
			return "{}" + shape(of.Elem())
		}
	case reflect.Struct:
		// Two groups have types of one name.
		group := path.Base(path.Dir(of.PkgPath()))
		for _, name := range []string{of.Name(), group + of.Name()} {
			known, ok := names[name]
			if !ok {
				names[name] = of
				line(name, of)
			}
			if !ok || known == of {
				return name
			}
		}
	}
	fmt.Fprintln(os.Stderr, "no shape is known for", of)
	os.Exit(1)
	return ""
}
