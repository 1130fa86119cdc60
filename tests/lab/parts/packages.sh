# Debian packages: small tools are installed, the container runtime is only
# unpacked into the cache, so that no service is started and nothing else on
# the machine changes. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

RUNTIME_PACKAGES="containerd runc containernetworking-plugins busybox-static"
# buildah and the libraries that a small system lacks.
BUILDER_PACKAGES="buildah golang-github-containers-common golang-github-containers-image libassuan0 libdevmapper1.02.1 libgpg-error0 libgpgme11 libseccomp2 libsubid4"

# command:package, what a minimal Debian may lack
needed_commands() {
    printf '%s\n' openssl:openssl python3:python3 git:git curl:curl flock:util-linux
    if [ "$1" = node ]; then
        printf '%s\n' ip:iproute2 unshare:util-linux mount:mount
    fi
}

# The names of the packages that are missing here; $1 is `node` or `control-plane`.
missing_packages() {
    local pair
    for pair in $(needed_commands "$1"); do
        has "${pair%%:*}" || printf '%s\n' "${pair##*:}"
    done | sort -u
}

is_debian() { has apt-get && has dpkg-deb; }

update_package_lists() {
    [ -z "${package_lists_fresh:-}" ] || return 0
    run_logged "updating the Debian package lists" "$CACHE/logs/apt-update.log" apt-get --option Acquire::Retries=3 update
    package_lists_fresh=yes
}

install_missing_packages() {
    local missing
    missing=$(missing_packages "$1" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    { is_root && is_debian; } || fail "missing on this machine: $missing(install them: no root or no Debian here)"
    update_package_lists
    # shellcheck disable=SC2086 # a list of words
    run_logged "installing $missing" "$CACHE/logs/apt-install.log" \
        env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
}

# Sets BROWSER to Chromium, which shows what scan writes as HTML, or leaves it empty.
install_browser() {
    if ! has chromium && is_root && is_debian; then
        # A subshell: without a browser all else still runs.
        (
            update_package_lists
            run_logged "installing chromium" "$CACHE/logs/apt-install-chromium.log" \
                env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium
        ) || true
    fi
    BROWSER=$(command -v chromium || true)
    [ -n "$BROWSER" ] || say "left out: the tests in a browser, chromium could not be installed"
}

# Sets RUNTIME to the folder that holds the unpacked runtime packages.
unpack_runtime() {
    RUNTIME=$(package_folder runtime)
    unpack_packages "$RUNTIME" $RUNTIME_PACKAGES
}

# Sets BUILDER to the folder that holds the unpacked builder of images.
unpack_builder() {
    BUILDER=$(package_folder builder)
    unpack_packages "$BUILDER" $BUILDER_PACKAGES
}

package_folder() { . /etc/os-release && printf '%s/%s-%s-%s-1' "$CACHE" "$1" "$ID" "${VERSION_ID:-}"; }

# unpack_packages FOLDER PACKAGE...: below FOLDER/root, nothing is installed.
unpack_packages() {
    local folder=$1 package
    shift
    [ ! -f "$folder/complete" ] || return 0
    update_package_lists
    rm -rf "$folder"
    mkdir -p "$folder/packages" "$folder/root"
    run_logged "downloading $*" "$CACHE/logs/apt-download.log" download_packages "$folder/packages" "$@"
    for package in "$folder"/packages/*.deb; do
        dpkg-deb --extract "$package" "$folder/root"
    done
    rm -r "$folder/packages"
    touch "$folder/complete"
}

download_packages() {
    cd "$1" || return 1
    shift
    # Without this apt drops to a user that cannot write to root's cache.
    apt-get download --option APT::Sandbox::User=root "$@"
}
