# What every part of the lab shares: places, ports, messages, waiting, and
# starting and ending processes by pid file. Sourced, never run.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

LAB_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${AIFIX_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aifix-lab}
STATE=$CACHE/state
LOGS=$CACHE/logs/lab
PIDS=$STATE/pids
ENV_FILE=$STATE/env

# Fixed ports, all on loopback but the kubelet's: a second lab on one machine
# would fight over the bridge and the cgroups anyway.
ETCD_PORT=23790
ETCD_PEER_PORT=23800
API_PORT=16443
CONTROLLERS_PORT=20257
SCHEDULER_PORT=20259
KUBELET_PORT=20250
KUBELET_HEALTH_PORT=20248
GIT_PORT=18418
REGISTRY_PORT=5055
MODEL_PORT=18434
GITEA_PORT=18430
SOURCE_PORT=18490
SOURCE_METRICS_PORT=18491
SOURCE_HEALTH_PORT=18492
KUSTOMIZE_METRICS_PORT=18493
KUSTOMIZE_HEALTH_PORT=18494

# The kubelet refuses a loopback address, so the node gets one on an empty
# bridge; pods live on a second bridge.
NODE_LINK=aifixnode
NODE_IP=10.89.0.1
POD_LINK=aifixpods
POD_CIDR=10.88.0.0/16
CGROUP=aifix-lab

# Nothing of the lab is behind a proxy.
case ,${NO_PROXY:-}, in
*,"$NODE_IP",*) ;;
*) export NO_PROXY=127.0.0.1,localhost,$NODE_IP,$POD_CIDR${NO_PROXY:+,$NO_PROXY} ;;
esac
export no_proxy=$NO_PROXY

say() { printf '%s\n' "lab: $*" >&2; }

fail() {
    last_error=$*
    printf '%s\n' "lab: error: $*" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }

# One run at a time. Children must not inherit the lock: a daemon that held it
# would keep it for as long as it lives.
take_lock() {
    mkdir -p "$CACHE"
    exec 9>"$CACHE/lock"
    if ! flock --nonblock 9; then
        say "another run holds $CACHE/lock, waiting up to 60 min"
        flock --wait 3600 9 || fail "the other run did not end within 60 min"
    fi
}

# run_logged LABEL LOG COMMAND...: run a long command with its output in LOG,
# saying every 15 s how far it is, and show the log's tail if it fails.
run_logged() {
    local label=$1 log=$2 began=$SECONDS pid next=15
    shift 2
    mkdir -p "$(dirname "$log")"
    say "$label"
    "$@" >"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        if [ $((SECONDS - began)) -ge "$next" ]; then
            say "  $((SECONDS - began)) s, $(wc -l <"$log") lines, at: $(tail -n 1 "$log" | cut -c1-80)"
            next=$((next + 15))
        fi
    done
    if ! wait "$pid"; then
        tail -n 30 "$log" >&2
        fail "$label: failed after $((SECONDS - began)) s, whole log in $log"
    fi
    say "  done in $((SECONDS - began)) s"
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds or the deadline passes.
wait_for() {
    local seconds=$1 what=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited $seconds s for $what"
        sleep 0.2
    done
}

# A pid alone may have been given to a stranger since; with its start time
# (field 22 of /proc/PID/stat, proc(5)) it names one process for good.
start_time_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The command name in field 2 may hold blanks and parentheses.
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1
    printf '%s\n' "${20}"
}

# start NAME COMMAND...: in the background, with a log and a pid file.
start() {
    local name=$1
    shift
    setsid "$@" >>"$LOGS/$name.log" 2>&1 </dev/null 9>&- &
    printf '%s %s\n' "$!" "$(start_time_of "$!")" >"$PIDS/$name"
}

is_running() {
    local pid began
    read -r pid began 2>/dev/null <"$PIDS/$1" || return 1
    [ -n "$began" ] && [ "$(start_time_of "$pid")" = "$began" ]
}

is_gone() { ! is_running "$1"; }

# stop NAME [SIGNAL]: ask, wait 10 s, then kill.
stop() {
    local name=$1 signal=${2:-TERM} pid deadline
    if is_running "$name"; then
        read -r pid _ <"$PIDS/$name"
        kill -s "$signal" "$pid" 2>/dev/null || true
        deadline=$((SECONDS + 10))
        while is_running "$name" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        if is_running "$name"; then
            say "$name did not end on SIG$signal, killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            wait_for 10 "$name to end" is_gone "$name"
        fi
    fi
    rm -f "$PIDS/$name"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

require_free_ports() {
    local port
    for port in "$@"; do
        port_is_free "$port" || fail "port $port of 127.0.0.1 is taken by a process that is not this lab's"
    done
}

# Shown when `up` ends in an error; the logs are kept until the next `up`.
show_log_tails() {
    local log
    for log in "$LOGS"/*.log; do
        [ -s "$log" ] || continue
        printf '\n--- tail of %s\n' "$log" >&2
        tail -n 15 "$log" | cut -c1-300 >&2
    done
    printf '\nlab: error: %s; whole logs in %s\n' "${last_error:-a command failed, see above}" "$LOGS" >&2
}

random_token() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# What the running state was made from: changed scripts mean a new lab.
fingerprint() {
    find "$LAB_DIR"/up "$LAB_DIR"/{parts,servers,kubernetes,flux,gitea} -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16
}
