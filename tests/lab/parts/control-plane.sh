# etcd, API server with audit log, controller manager and scheduler on
# loopback; needs no root. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

make_credentials() {
    local pki=$STATE/pki
    mkdir -p "$pki" "$STATE/apiserver" "$STATE/etcd"
    openssl genrsa -out "$pki/service-accounts.key" 2048 2>/dev/null
    openssl rsa -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub" 2>/dev/null

    # Known users, as `kubeadm` names them, and `viewer`, who may do nothing
    # until a test binds a role to that name.
    : >"$pki/tokens.csv"
    add_user admin lab-admin system:masters
    add_user viewer viewer lab-viewers
    add_user kubelet system:node:lab system:nodes
    add_user kube-controller-manager system:kube-controller-manager lab-components
    add_user kube-scheduler system:kube-scheduler lab-components
    # Helm warns about a kubeconfig that others can read.
    chmod 600 "$STATE"/*.kubeconfig "$pki"/*
}

# add_user FILE USER GROUP: a token, and a kubeconfig that uses it.
add_user() {
    local token
    token=$(random_token)
    printf '%s,%s,%s,%s\n' "$token" "$2" "$1" "$3" >>"$STATE/pki/tokens.csv"
    cat >"$STATE/$1.kubeconfig" <<EOF
apiVersion: v1
kind: Config
current-context: lab
contexts:
- name: lab
  context: {cluster: lab, user: $1}
clusters:
- name: lab
  cluster:
    server: https://127.0.0.1:$API_PORT
    certificate-authority: $STATE/apiserver/apiserver.crt
users:
- name: $1
  user:
    token: $token
EOF
}

write_audit_policy() {
    # One line per request, when its answer is known; a watch when it starts.
    cat >"$STATE/audit-policy.yaml" <<EOF
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
EOF
}

# etcd and the API server, and nothing that acts on what is written.
start_api_server() {
    local pki=$STATE/pki
    require_free_ports $ETCD_PORT $ETCD_PEER_PORT $API_PORT
    make_credentials
    write_audit_policy

    say "starting etcd and the API server"
    # The state lives for one run: no need to wait for the disk.
    start etcd "$(program_path etcd)" --data-dir "$STATE/etcd" --unsafe-no-fsync \
        --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
        --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
        --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
        --initial-cluster "default=http://127.0.0.1:$ETCD_PEER_PORT"

    start kube-apiserver "$(program_path kube-apiserver)" \
        --etcd-servers "http://127.0.0.1:$ETCD_PORT" \
        --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port $API_PORT \
        --cert-dir "$STATE/apiserver" --token-auth-file "$pki/tokens.csv" \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
        --service-account-key-file "$pki/service-accounts.pub" \
        --service-account-signing-key-file "$pki/service-accounts.key" \
        --service-account-issuer https://kubernetes.default.svc \
        --service-cluster-ip-range 10.96.0.0/16 --endpoint-reconciler-type none \
        --allow-privileged --kubelet-preferred-address-types InternalIP \
        --audit-policy-file "$STATE/audit-policy.yaml" --audit-log-path "$STATE/audit.log" \
        --audit-log-maxsize 2000

    export KUBECONFIG=$STATE/admin.kubeconfig
    wait_for 60 "the API server to be ready" api_is_ready
}

start_control_plane() {
    local pki=$STATE/pki
    require_free_ports $CONTROLLERS_PORT $SCHEDULER_PORT
    start_api_server

    say "starting the controllers and the scheduler"
    start kube-controller-manager "$(program_path kube-controller-manager)" \
        --kubeconfig "$STATE/kube-controller-manager.kubeconfig" \
        --authentication-kubeconfig "$STATE/kube-controller-manager.kubeconfig" \
        --authorization-kubeconfig "$STATE/kube-controller-manager.kubeconfig" \
        --bind-address 127.0.0.1 --secure-port $CONTROLLERS_PORT --leader-elect=false \
        --use-service-account-credentials --controllers '*,-nodeipam,-cloud-node-lifecycle' \
        --service-account-private-key-file "$pki/service-accounts.key" \
        --root-ca-file "$STATE/apiserver/apiserver.crt"
    start kube-scheduler "$(program_path kube-scheduler)" \
        --kubeconfig "$STATE/kube-scheduler.kubeconfig" \
        --authentication-kubeconfig "$STATE/kube-scheduler.kubeconfig" \
        --authorization-kubeconfig "$STATE/kube-scheduler.kubeconfig" \
        --bind-address 127.0.0.1 --secure-port $SCHEDULER_PORT --leader-elect=false
    wait_for 60 "the default service account" kubectl_lab get serviceaccount default
}

kubectl_lab() {
    local kubectl
    kubectl=$(program_path kubectl)
    "${kubectl:-kubectl}" --kubeconfig "$STATE/admin.kubeconfig" --cache-dir "$STATE/kubectl-cache" --request-timeout 5s "$@"
}

api_is_ready() { kubectl_lab get --raw /readyz; }

stop_control_plane() {
    local part
    for part in kube-scheduler kube-controller-manager kube-apiserver etcd; do stop "$part"; done
}
