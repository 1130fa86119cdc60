# Ends all parts, in the order of their needs, and forgets their state. Sourced.

# shellcheck shell=bash disable=SC2034,SC2086,SC2154

remove_lab() {
    stop_flux
    stop_node
    stop_model
    stop_gitea
    stop_servers
    stop_control_plane
    rm -rf "$STATE"
}
