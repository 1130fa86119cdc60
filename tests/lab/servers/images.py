"""Writes the lab's container images, made of one static busybox, as a tar for `ctr images import`.

usage: images.py BUSYBOX REGISTRY_PORT OUT.tar
"""

import hashlib
import io
import json
import platform
import subprocess
import sys
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())

NGINX = b"""#!/bin/sh
# Stands in for the web server: same name, same port, same folder.
exec httpd -f -p "${PORT:-80}" -h /usr/share/nginx/html
"""
PAUSE = ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"]


def add_file(tar, name, content, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def add_folder(tar, name, mode=0o755):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def add_link(tar, name, target):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def root_filesystem(busybox):
    """One layer: busybox under all its names, a few users, a page to serve."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ["bin", "dev", "etc", "home", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/sbin",
                       "usr/share", "usr/share/nginx", "usr/share/nginx/html", "var", "var/log", "var/run"]:
            add_folder(tar, folder)
        add_folder(tar, "tmp", 0o1777)
        with open(busybox, "rb") as file:
            add_file(tar, "bin/busybox", file.read(), 0o755)
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for applet in applets:
            if applet != "busybox":
                add_link(tar, f"bin/{applet}", "/bin/busybox")
        add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
        add_file(tar, "etc/group", b"root:x:0:\nnobody:x:65534:\n")
        add_file(tar, "usr/sbin/nginx", NGINX, 0o755)
        add_file(tar, "usr/share/nginx/html/index.html", b"<!doctype html><title>lab</title><p>ok\n")
    return out.getvalue()


def write_images(path, layer, images):
    """The archive format of `docker save`: a manifest, one config per image, the shared layer."""
    layer_digest = hashlib.sha256(layer).hexdigest()
    manifest, files = [], {f"{layer_digest}/layer.tar": layer}
    for tags, command, port, user in images:
        config = {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": command, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                       **({"ExposedPorts": {f"{port}/tcp": {}}} if port else {}), "User": user},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created": "2026-01-01T00:00:00Z"}],
        }
        content = json.dumps(config).encode()
        name = hashlib.sha256(content).hexdigest() + ".json"
        files[name] = content
        manifest.append({"Config": name, "RepoTags": tags, "Layers": [f"{layer_digest}/layer.tar"]})
    files["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            add_file(tar, name, content)


def main():
    busybox, registry_port, out = sys.argv[1:]
    registry = f"localhost:{registry_port}"
    write_images(out, root_filesystem(busybox), [
        # The importer wants every name in full.
        (["docker.io/aifix-lab/pause:1"], PAUSE, None, ""),
        (["docker.io/library/busybox:1.36", "docker.io/library/busybox:latest"], ["sh"], None, ""),
        (["docker.io/library/nginx:1.27"], ["nginx", "-g", "daemon off;"], 80, ""),
        ([f"{registry}/team/web:1.4"], ["httpd", "-f", "-p", "8080", "-h", "/usr/share/nginx/html"], 8080, ""),
        # Users by name: one that the image has, and one that it lacks.
        ([f"{registry}/team/nobody:1"], ["sleep", "86400"], None, "nobody"),
        ([f"{registry}/team/ghost:1"], ["sleep", "86400"], None, "ghost"),
    ])


main()
