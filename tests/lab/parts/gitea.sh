# A real forge on loopback: Gitea with SQLite, built from its Go module into the
# cache, keyed by version and build flags. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

GITEA_SOURCE=$LAB_DIR/gitea
GITEA_VERSION=$(sed -n 's,^require code.gitea.io/gitea ,,p' "$GITEA_SOURCE/go.mod")
GITEA_TAGS="sqlite sqlite_unlock_notify"
GITEA_URL=http://127.0.0.1:$GITEA_PORT
# Who makes repositories and approves, and whom aifix works as.
GITEA_ADMIN=keeper
GITEA_USER=robot

# Sets GITEA_HOME; makes it when it is not there. Without it $GITEA_OBSTACLE says why.
install_gitea() {
    GITEA_HOME=$CACHE/gitea-$GITEA_VERSION-$({
        echo "$GITEA_TAGS"
        cat "$GITEA_SOURCE"/go.*
    } | sha256sum | cut -c1-12)
    GITEA_OBSTACLE=
    [ ! -x "$GITEA_HOME/gitea" ] || return 0
    rm -rf "$GITEA_HOME.part"
    # A subshell: without a forge all other parts of the lab still run.
    (
        require_go
        install_c_compiler
        run_logged "building Gitea $GITEA_VERSION (several minutes)" "$CACHE/logs/build-gitea.log" make_gitea_home
    ) || gitea_is_left_out "it could not be built, whole log in $CACHE/logs/build-gitea.log"
}

# SQLite is C.
install_c_compiler() {
    ! has gcc || return 0
    { is_root && is_debian; } || fail "missing on this machine: gcc (install it: no root or no Debian here)"
    update_package_lists
    run_logged "installing gcc" "$CACHE/logs/apt-install-gcc.log" \
        env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev
}

make_gitea_home() {
    local source fresh=$GITEA_HOME.part
    mkdir -p "$fresh"
    cd "$GITEA_SOURCE" || return 1
    cgo=1 go_build build -mod=readonly -tags "$GITEA_TAGS" -ldflags "-s -w" -o "$fresh/" code.gitea.io/gitea || return 1
    # It reads these while it runs; scripts and styles are not in the module, and no test needs them.
    source=$(go list -mod=readonly -m -f '{{.Dir}}' code.gitea.io/gitea) || return 1
    cp -r "$source/templates" "$source/options" "$source/public" "$fresh" || return 1
    chmod -R u+w "$fresh" && mv "$fresh" "$GITEA_HOME"
}

gitea_is_left_out() {
    GITEA_OBSTACLE=$1
    say "no forge: $1"
    say "left out: every test that opens a pull request"
}

write_gitea_config() {
    # It refuses to run as root, which the lab on loopback does, unless told so.
    cat >"$STATE/gitea/app.ini" <<EOF
RUN_USER = $(id -un)
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = $STATE/gitea
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = $GITEA_PORT
ROOT_URL = $GITEA_URL/
STATIC_ROOT_PATH = $GITEA_HOME
APP_DATA_PATH = $STATE/gitea/data
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = $STATE/gitea/gitea.db
[repository]
ROOT = $STATE/gitea/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = $(random_token)
PASSWORD_HASH_ALGO = pbkdf2
[service]
DISABLE_REGISTRATION = true
[log]
MODE = console
LEVEL = warn
[actions]
ENABLED = false
[packages]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[session]
PROVIDER = memory
[cron.update_checker]
ENABLED = false
EOF
}

gitea_lab() {
    env -i PATH="$PATH" HOME="$STATE/gitea" USER="$(id -un)" \
        "$GITEA_HOME/gitea" --config "$STATE/gitea/app.ini" "$@"
}

# gitea_user NAME PASSWORD [FLAG]
gitea_user() {
    gitea_lab admin user create ${3:-} --username "$1" --password "$2" --email "$1@example.com" \
        --must-change-password=false >>"$LOGS/gitea.log" 2>&1
}

start_gitea() {
    [ -z "$GITEA_OBSTACLE" ] || return 0
    require_free_ports $GITEA_PORT
    mkdir -p "$STATE/gitea"
    GITEA_ADMIN_PASSWORD=$(random_token)
    GITEA_PASSWORD=$(random_token)
    say "starting Gitea"
    write_gitea_config
    gitea_lab migrate >>"$LOGS/gitea.log" 2>&1
    gitea_user $GITEA_ADMIN "$GITEA_ADMIN_PASSWORD" --admin
    gitea_user $GITEA_USER "$GITEA_PASSWORD"
    # What a pull request needs, no more.
    GITEA_TOKEN=$(gitea_lab admin user generate-access-token --username $GITEA_USER --token-name lab \
        --scopes write:repository,write:issue --raw 2>>"$LOGS/gitea.log" | tail -n 1)
    start gitea env -i PATH="$PATH" HOME="$STATE/gitea" USER="$(id -un)" \
        "$GITEA_HOME/gitea" --config "$STATE/gitea/app.ini" web
    wait_for 30 "Gitea to answer" gitea_answers
}

gitea_answers() { [ "$(http_status "$GITEA_URL/api/healthz")" = 200 ]; }

stop_gitea() { stop gitea; }
