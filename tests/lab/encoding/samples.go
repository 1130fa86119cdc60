package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

// One line per kind: an object with something in every field, in both forms.
func samples() {
	filler := randfill.NewWithSeed(1).NilChance(0).NumElements(1, 2).MaxDepth(40).Funcs(
		func(at *meta.TypeMeta, _ randfill.Continue) { *at = meta.TypeMeta{} },
		func(at *meta.Time, c randfill.Continue) { at.Time = time.Unix(c.Int63n(1<<32), 0).UTC() },
		func(at *meta.MicroTime, c randfill.Continue) { at.Time = time.UnixMicro(c.Int63n(1 << 52)).UTC() },
		func(at *resource.Quantity, c randfill.Continue) {
			*at = *resource.NewMilliQuantity(c.Int63n(1<<40), resource.DecimalSI)
		},
		func(at *intstr.IntOrString, c randfill.Continue) {
			*at = intstr.FromInt32(c.Int31())
			if c.Bool() {
				*at = intstr.FromString(c.String(0))
			}
		},
		func(at *runtime.RawExtension, c randfill.Continue) { at.Raw = text(c) },
		func(at *meta.FieldsV1, c randfill.Continue) { at.SetRawBytes(text(c)) },
		// The pod of a template is that of a pod: once is enough.
		func(at *core.PodTemplateSpec, c randfill.Continue) {
			c.Fill(&at.ObjectMeta)
			at.Spec.RestartPolicy = core.RestartPolicyNever
		},
	)
	for _, version := range slices.Sorted(maps.Keys(kinds)) {
		for _, one := range kinds[version] {
			object := reflect.New(reflect.TypeOf(one))
			filler.Fill(object.Interface())
			sample := object.Interface().(runtime.Object)
			group, err := schema.ParseGroupVersion(version)
			check(err)
			kind := group.WithKind(object.Elem().Type().Name())
			written, err := json.Marshal(sample)
			check(err)
			sample.GetObjectKind().SetGroupVersionKind(kind)
			var packed bytes.Buffer
			check(protobuf.NewSerializer(nil, nil).Encode(sample, &packed))
			line, err := json.Marshal(map[string]any{
				"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind,
				"json": json.RawMessage(written), "protobuf": packed.Bytes(),
			})
			check(err)
			fmt.Println(string(line))
		}
	}
}

func text(c randfill.Continue) []byte {
	text, err := json.Marshal(map[string]any{"f:" + c.String(0): map[string]int{".": c.Intn(100)}})
	check(err)
	return text
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
