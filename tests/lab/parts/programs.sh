# Programs built from Go modules into the cache, keyed by version and build
# flags: a clean checkout builds nothing again. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

KUBERNETES_VERSION=v1.34.4
KUSTOMIZE_VERSION=v5.8.2
HELM_VERSION=v3.22.0
HELM4_VERSION=v4.3.1
OPA_VERSION=v1.22.4
KUBERNETES_SOURCE=$LAB_DIR/kubernetes

# One set of flags for all: another set would compile the shared part again.
# Without a C compiler in play ($cgo) the binaries run on any Linux.
go_build() {
    local verb=$1
    shift
    CGO_ENABLED=${cgo:-0} GOFLAGS=-buildvcs=false GOCACHE=$CACHE/go-build nice go "$verb" -v -trimpath "$@"
}

require_go() {
    has go || fail "Go is missing: the lab builds Kubernetes from its Go modules"
}

kubernetes_ldflags() {
    local package minor=${KUBERNETES_VERSION#v1.}
    minor=${minor%%.*}
    printf '%s' "-s -w"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf ' -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s' \
            "$package" "$KUBERNETES_VERSION" "$package" "$package" "$minor"
    done
}

# Sets KUBERNETES to the folder of the cluster's binaries. $1: `node` or `control-plane`.
build_kubernetes() {
    local programs="etcd kube-apiserver kube-controller-manager kube-scheduler" program
    local missing=()
    KUBERNETES=$CACHE/kubernetes-$KUBERNETES_VERSION-$({
        kubernetes_ldflags
        cat "$KUBERNETES_SOURCE"/go.*
    } | sha256sum | cut -c1-12)
    [ "$1" != node ] || programs="$programs kubelet"
    has kubectl || [ -x "${KUBEBUILDER_ASSETS:-}/kubectl" ] || programs="$programs kubectl"
    for program in $programs; do
        [ -n "$(program_path "$program")" ] || missing+=("$program")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    require_go
    run_logged "building ${missing[*]} (Kubernetes $KUBERNETES_VERSION, several minutes)" \
        "$CACHE/logs/build-kubernetes.log" build_kubernetes_programs "${missing[@]}"
}

build_kubernetes_programs() {
    local program packages=() fresh=$KUBERNETES.part
    for program in "$@"; do
        case $program in
        etcd) packages+=(go.etcd.io/etcd/server/v3) ;;
        *) packages+=("k8s.io/kubernetes/cmd/$program") ;;
        esac
    done
    mkdir -p "$fresh" "$KUBERNETES"
    cd "$KUBERNETES_SOURCE" || return 1
    go_build build -mod=readonly -ldflags "$(kubernetes_ldflags)" -o "$fresh/" "${packages[@]}" || return 1
    # The last word of etcd's package path is its name for `go build`.
    [ ! -e "$fresh/server" ] || mv "$fresh/server" "$fresh/etcd"
    mv "$fresh"/* "$KUBERNETES"
    rmdir "$fresh"
}

# Prints the path of a cluster program, nothing if it must be built first.
# KUBEBUILDER_ASSETS is where controller projects keep etcd and kube-apiserver.
program_path() {
    local folder
    for folder in "${KUBEBUILDER_ASSETS:-}" "$KUBERNETES"; do
        if [ -n "$folder" ] && [ -x "$folder/$1" ]; then
            printf '%s\n' "$folder/$1"
            return
        fi
    done
}

# install_tool NAME VERSION PACKAGE: into a folder of its own; prints nothing.
install_tool() {
    local folder=$CACHE/$1-$2
    [ ! -x "$folder/$1" ] || return 0
    require_go
    run_logged "building $1 $2" "$CACHE/logs/build-$1.log" install_module "$folder.part" "$3@$2"
    mkdir -p "$folder"
    mv "$folder.part/$1" "$folder/$1"
    rmdir "$folder.part"
}

install_module() {
    export GOBIN=$1
    go_build install -ldflags "-s -w" "$2"
}

# The renderers the tests compare with and run.
build_renderers() {
    install_tool kustomize "$KUSTOMIZE_VERSION" sigs.k8s.io/kustomize/kustomize/v5
    install_tool helm "$HELM_VERSION" helm.sh/helm/v3/cmd/helm
}

# Both Helms are in use; the second one takes minutes of its own, so only the lab builds it.
build_helm4() { install_tool helm "$HELM4_VERSION" helm.sh/helm/v4/cmd/helm; }

# What our policies are compared with; minutes of its own, so only the lab builds it.
build_opa() { install_tool opa "$OPA_VERSION" github.com/open-policy-agent/opa; }

# The build cache of all programs is some GB and of no use once they are
# built; a full disk makes the kubelet evict pods.
prune_build_cache() {
    [ -d "$CACHE/go-build" ] || return 0
    say "removing the Go build cache ($(du -sh "$CACHE/go-build" | cut -f1))"
    rm -rf "$CACHE/go-build"
}
