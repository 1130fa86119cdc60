# The Git server and the registry stand-in, both on loopback. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

GIT_URL=http://127.0.0.1:$GIT_PORT

start_git_server() {
    require_free_ports $GIT_PORT
    mkdir -p "$STATE/git"
    GIT_PASSWORD=$(random_token)
    GIT_READER_PASSWORD=$(random_token)
    printf '%s\n' "lab:$GIT_PASSWORD:write" "reader:$GIT_READER_PASSWORD:read" >"$STATE/git-users"
    say "starting the Git server"
    start git-server python3 "$LAB_DIR/servers/git-server.py" $GIT_PORT "$STATE/git" "$STATE/git-users"
    wait_for 20 "the Git server to answer" git_server_answers
}

git_server_answers() { [ "$(http_status "$GIT_URL/")" = 401 ]; }

start_registry() {
    require_free_ports $REGISTRY_PORT
    say "starting the registry stand-in"
    start registry python3 "$LAB_DIR/servers/registry.py" $REGISTRY_PORT
    wait_for 20 "the registry stand-in to answer" registry_answers
}

registry_answers() { [ "$(http_status "http://127.0.0.1:$REGISTRY_PORT/v2/")" = 200 ]; }

http_status() { curl --silent --noproxy '*' --max-time 5 --output /dev/null --write-out '%{http_code}' "$1"; }

stop_servers() {
    stop registry
    stop git-server
}
