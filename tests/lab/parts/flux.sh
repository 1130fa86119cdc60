# Flux as plain processes: source-controller and kustomize-controller, built from
# their Go modules into the cache, keyed by version and source. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

# Their versions stand in go.mod. source-controller keeps its archives with a
# package of our own (tests/lab/flux/artifact): the real one is not to be had as
# a module. What it does with Git, and all of kustomize-controller, is Flux's.
FLUX_SOURCE=$LAB_DIR/flux
FLUX_CONTROLLERS="source-controller kustomize-controller"

# Sets FLUX_HOME; makes it when it is not there. Without it $FLUX_OBSTACLE says why.
install_flux() {
    FLUX_HOME=$CACHE/flux-$(find "$FLUX_SOURCE" -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-12)
    FLUX_OBSTACLE=
    [ ! -d "$FLUX_HOME" ] || return 0
    rm -rf "$FLUX_HOME.part"
    # A subshell: without Flux all other parts of the lab still run.
    (
        require_go
        run_logged "building Flux's $FLUX_CONTROLLERS (several minutes)" "$CACHE/logs/build-flux.log" make_flux_home
    ) || flux_is_left_out "it could not be built, whole log in $CACHE/logs/build-flux.log"
}

make_flux_home() {
    local controller source fresh=$FLUX_HOME.part packages=()
    for controller in $FLUX_CONTROLLERS; do packages+=("github.com/fluxcd/$controller"); done
    mkdir -p "$fresh/crds"
    cd "$FLUX_SOURCE" || return 1
    go_build build -mod=readonly -ldflags "-s -w" -o "$fresh/" "${packages[@]}" || return 1
    for source in $(go list -mod=readonly -m -f '{{.Dir}}' "${packages[@]}"); do
        cp "$source"/config/crd/bases/*.yaml "$fresh/crds" || return 1
    done
    chmod -R u+w "$fresh" && mv "$fresh" "$FLUX_HOME"
}

flux_is_left_out() {
    FLUX_OBSTACLE=$1
    say "no Flux: $1"
    say "left out: every test in which Flux follows Git"
}

start_flux() {
    [ -z "$FLUX_OBSTACLE" ] || return 0
    require_free_ports $SOURCE_PORT $SOURCE_METRICS_PORT $SOURCE_HEALTH_PORT \
        $KUSTOMIZE_METRICS_PORT $KUSTOMIZE_HEALTH_PORT
    mkdir -p "$STATE/flux"
    say "starting Flux"
    kubectl_lab apply --server-side --filename "$FLUX_HOME/crds" >>"$LOGS/flux.log" 2>&1
    # A controller that starts before all its kinds are served ends at once.
    wait_for 60 "Flux's kinds to be served" flux_kinds_are_served
    start source-controller env KUBECONFIG="$STATE/admin.kubeconfig" RUNTIME_NAMESPACE=default TMPDIR="$STATE/flux" \
        "$FLUX_HOME/source-controller" --storage-path "$STATE/flux" --storage-addr 127.0.0.1:$SOURCE_PORT \
        --storage-adv-addr 127.0.0.1:$SOURCE_PORT --metrics-addr 127.0.0.1:$SOURCE_METRICS_PORT \
        --health-addr 127.0.0.1:$SOURCE_HEALTH_PORT --enable-leader-election=false --log-encoding console
    # With that gate a new revision ends the health check of the old one.
    start kustomize-controller env KUBECONFIG="$STATE/admin.kubeconfig" RUNTIME_NAMESPACE=default TMPDIR="$STATE/flux" \
        "$FLUX_HOME/kustomize-controller" --metrics-addr 127.0.0.1:$KUSTOMIZE_METRICS_PORT \
        --health-addr 127.0.0.1:$KUSTOMIZE_HEALTH_PORT --enable-leader-election=false --log-encoding console \
        --requeue-dependency 3s --feature-gates CancelHealthCheckOnNewRevision=true
    wait_for 60 "Flux to be ready" flux_answers
}

flux_kinds_are_served() {
    local definitions group kind version versions served
    definitions=$(kubectl_lab get customresourcedefinitions --output "jsonpath=$(
        printf '%s' '{range .items[*]}{.spec.group}{" "}{.spec.names.kind}{range .spec.versions[?(@.served)]}{" "}{.name}{end}{"\n"}{end}'
    )") || return 1
    grep -q toolkit.fluxcd.io <<<"$definitions" || return 1
    while read -r group kind versions; do
        for version in $versions; do
            served=$(kubectl_lab get --raw "/apis/$group/$version") || return 1
            grep -q "\"kind\":\"$kind\"" <<<"$served" || return 1
        done
    done < <(grep toolkit.fluxcd.io <<<"$definitions")
}

flux_answers() {
    [ "$(http_status "http://127.0.0.1:$SOURCE_HEALTH_PORT/readyz")" = 200 ] &&
        [ "$(http_status "http://127.0.0.1:$KUSTOMIZE_HEALTH_PORT/readyz")" = 200 ]
}

stop_flux() {
    stop kustomize-controller
    stop source-controller
}
