# The node: containerd and the kubelet with real containers; needs root and
# Debian's runtime packages. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

# Both run in their own pid and mount namespaces (tests/lab/servers/node): when
# the first process there ends, the kernel ends every container with it and
# drops every mount, so that nothing of a run can stay behind.

# Prints why there can be no node here; nothing if there can.
node_obstacle() {
    if [ "${LAB_WANTS:-node}" = control-plane ]; then
        echo "asked for the control plane alone"
    elif ! is_root; then
        echo "not root: containers need namespaces, mounts and cgroups"
    elif ! is_debian; then
        echo "no apt-get: containerd and runc come from Debian packages"
    elif ! { unshare --mount --pid --fork true && mount_is_allowed; } 2>/dev/null; then
        echo "this kernel or sandbox refuses new mount and pid namespaces"
    elif [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ ! -d /sys/fs/cgroup/memory ]; then
        echo "no cgroups are mounted in /sys/fs/cgroup"
    fi
}

mount_is_allowed() { unshare --mount sh -c 'mount -t tmpfs none /tmp'; }

# The cgroup folders of the lab: one per v1 hierarchy, or a single v2 one.
cgroup_parents() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        echo /sys/fs/cgroup
    else
        local folder
        for folder in /sys/fs/cgroup/*/; do
            [ ! -e "$folder/cgroup.controllers" ] || continue
            printf '%s\n' "${folder%/}"
        done
    fi
}

make_cgroups() {
    local parent controller
    for parent in $(cgroup_parents); do
        if [ -e "$parent/cgroup.controllers" ]; then
            for controller in $(tr ' ' '\n' <"$parent/cgroup.controllers"); do
                echo "+$controller" >"$parent/cgroup.subtree_control" || say "cgroup controller $controller stays off"
            done
        fi
        mkdir -p "$parent/$CGROUP"
        # A v1 cpuset without processors and memory nodes takes no process.
        if [ -e "$parent/cpuset.cpus" ] && [ ! -e "$parent/cgroup.controllers" ]; then
            cat "$parent/cpuset.cpus" >"$parent/$CGROUP/cpuset.cpus"
            cat "$parent/cpuset.mems" >"$parent/$CGROUP/cpuset.mems"
        fi
    done
}

# A dying process keeps its cgroup busy for a moment. On v1 the runtime also
# uses the v2 hierarchy that may be mounted beside it.
remove_cgroups() {
    local folder
    for folder in "/sys/fs/cgroup/$CGROUP" /sys/fs/cgroup/*/"$CGROUP"; do
        [ -d "$folder" ] || continue
        wait_for 20 "the cgroup $folder to be empty" remove_cgroup_tree "$folder"
    done
}

remove_cgroup_tree() {
    find "$1" -depth -type d -exec rmdir {} +
    [ ! -d "$1" ]
}

# The kubelet and the bridge plugin set these for the whole machine.
CHANGED_SYSCTLS="net/ipv4/ip_forward vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes"

save_sysctls() {
    local name
    for name in $CHANGED_SYSCTLS; do
        [ ! -r "/proc/sys/$name" ] || printf '%s %s\n' "$name" "$(cat "/proc/sys/$name")"
    done >"$STATE/sysctls"
}

restore_sysctls() {
    local name value
    [ -f "$STATE/sysctls" ] || return 0
    while read -r name value; do
        [ "$(cat "/proc/sys/$name")" = "$value" ] || echo "$value" >"/proc/sys/$name" || say "cannot restore $name"
    done <"$STATE/sysctls"
}

# Folders that container software uses whatever its configuration says. The
# node sees an empty one of its own in each place; only mount points that were
# not there are left to be removed.
MACHINE_FOLDERS="/run/containerd /run/netns /var/lib/cni /var/lib/kubelet /var/log/containers"

make_machine_folders() {
    local folder
    for folder in $MACHINE_FOLDERS; do
        [ -d "$folder" ] || { mkdir "$folder" && echo "$folder"; }
    done >"$STATE/made-folders"
}

remove_machine_folders() {
    local folder
    [ -f "$STATE/made-folders" ] || return 0
    while read -r folder; do
        [ ! -d "$folder" ] || rmdir "$folder" || say "$folder stays: it is not empty"
    done <"$STATE/made-folders"
}

make_node_link() {
    # The link type `dummy` is not in every kernel; an empty bridge does the same.
    ip link add "$NODE_LINK" type bridge
    ip address add "$NODE_IP/32" dev "$NODE_LINK"
    ip link set "$NODE_LINK" up
}

remove_links() {
    local link
    for link in "$NODE_LINK" "$POD_LINK"; do
        ! ip link show "$link" >/dev/null 2>&1 || ip link delete "$link"
    done
}

write_containerd_config() {
    local folder=$STATE/containerd
    mkdir -p "$folder/cni" "$folder/hosts/localhost:$REGISTRY_PORT" "$folder/hosts/docker.io"
    # restrict_oom_score_adj: without the right to lower the score (as in many
    # containers) every sandbox dies with "can't get final child's PID from pipe".
    cat >"$folder/config.toml" <<EOF
version = 2
root = "$folder/root"
state = "$folder/run"
[grpc]
  address = "$folder/socket"
[plugins."io.containerd.internal.v1.opt"]
  path = "$folder/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/aifix-lab/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$RUNTIME/root/usr/lib/cni"
    conf_dir = "$folder/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$folder/hosts"
EOF
    # Docker Hub is answered here too: a wrong tag is a real "not found" on
    # every machine, with or without a network. This containerd refuses a file
    # without a `host` table.
    local host
    for host in "localhost:$REGISTRY_PORT" docker.io; do
        cat >"$folder/hosts/$host/hosts.toml" <<EOF
server = "http://127.0.0.1:$REGISTRY_PORT"
[host."http://127.0.0.1:$REGISTRY_PORT"]
  capabilities = ["pull", "resolve"]
EOF
    done
    # Without masquerading and port mapping no packet filter rule is made.
    cat >"$folder/cni/10-lab.conflist" <<EOF
{
  "cniVersion": "0.4.0",
  "name": "lab",
  "plugins": [{
    "type": "bridge", "bridge": "$POD_LINK", "isGateway": true, "hairpinMode": true,
    "ipam": {
      "type": "host-local", "dataDir": "$folder/addresses",
      "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
EOF
}

write_kubelet_config() {
    local folder=$STATE/kubelet
    mkdir -p "$folder"
    # A full disk must not make the kubelet remove images or evict pods: the
    # images were made by hand and no registry has them.
    cat >"$folder/config.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
address: $NODE_IP
port: $KUBELET_PORT
healthzPort: $KUBELET_HEALTH_PORT
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$STATE/containerd/socket
podLogsDir: $STATE/pod-logs
volumePluginDir: $folder/plugins
resolvConf: ""
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 0%}
EOF
}

start_node() {
    # A socket's path holds 107 bytes at most, see unix(7).
    [ ${#STATE} -le 70 ] || fail "the path $STATE is too long for sockets, set AIFIX_LAB_CACHE to a shorter one"
    write_containerd_config
    write_kubelet_config
    save_sysctls
    make_cgroups
    make_machine_folders
    make_node_link

    say "starting containerd and the kubelet"
    start node unshare --mount --pid --fork --kill-child --mount-proc \
        env PATH="$RUNTIME/root/usr/bin:$RUNTIME/root/usr/sbin:$PATH" \
        STATE="$STATE" LOGS="$LOGS" NODE_IP="$NODE_IP" KUBELET="$(program_path kubelet)" FOLDERS="$MACHINE_FOLDERS" \
        bash "$LAB_DIR/servers/node"
    wait_for 30 "containerd to answer" ctr_lab version
    import_images
    # The kubelet starts when the images are there: see servers/node.
    touch "$STATE/images-imported"
    wait_for 90 "the node to be Ready" node_is_ready
}

ctr_lab() {
    "$RUNTIME/root/usr/bin/ctr" --address "$STATE/containerd/socket" --namespace k8s.io "$@"
}

# Pinned images are left alone by the kubelet's garbage collection.
import_images() {
    local image
    python3 "$LAB_DIR/servers/images.py" "$RUNTIME/root/bin/busybox" "$REGISTRY_PORT" "$STATE/images.tar"
    for image in $(ctr_lab images import "$STATE/images.tar" | awk '/^unpacking/ {print $2}'); do
        ctr_lab images label "$image" io.cri-containerd.pinned=pinned >/dev/null
    done
    rm "$STATE/images.tar"
}

node_is_ready() {
    kubectl_lab wait --for condition=Ready node/lab --timeout 1s
}

stop_node() {
    # `unshare` ignores SIGTERM; killed, it takes the first process of the pid
    # namespace with it (--kill-child), and that one all the others.
    stop node KILL
    is_root || return 0
    remove_cgroups
    remove_links
    restore_sysctls
    remove_machine_folders
}
