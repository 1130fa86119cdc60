"""A container registry without a usable image: every pull is refused for real, as a registry refuses it.

usage: registry.py PORT

The first word of an image's path chooses the refusal (`localhost:PORT/forbidden/web:1` is 403);
any other path answers 404 MANIFEST_UNKNOWN. `denied` gives a token that is not enough, `foreign` has
an image for another processor, `torn` one whose layer is not what its manifest says. Shapes: OCI
distribution specification, "Error Codes", and OCI image specification.
"""

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1])
NOT_FOUND = (404, "MANIFEST_UNKNOWN", "manifest unknown")
UNAUTHORIZED = (401, "UNAUTHORIZED", "authentication required")
REFUSALS = {
    "private": UNAUTHORIZED,
    "denied": UNAUTHORIZED,
    "forbidden": (403, "DENIED", "requested access to the resource is denied"),
    "busy": (429, "TOOMANYREQUESTS", "pull rate limit exceeded"),
    "broken": (503, "UNAVAILABLE", "service unavailable"),
}
LOGINS = {
    "private": 'Basic realm="lab"',
    "denied": f'Bearer realm="http://127.0.0.1:{PORT}/token",service="lab",error="insufficient_scope"',
}
OCI = "application/vnd.oci.image."
NO_IMAGE = "sha256:" + "0" * 64


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def document(media_type, **fields):
    return json.dumps({"schemaVersion": 2, "mediaType": OCI + media_type, **fields}).encode()


def part(media_type, content, **fields):
    return {"mediaType": OCI + media_type, "digest": digest(content), "size": len(content), **fields}


LAYER, TORN = b"a layer", b"a wreck"
CONFIG = json.dumps({"architecture": "amd64", "os": "linux",
                     "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}).encode()
MANIFESTS = {
    "foreign": document("index.v1+json", manifests=[
        {"mediaType": OCI + "manifest.v1+json", "digest": NO_IMAGE, "size": 2,
         "platform": {"architecture": "s390x", "os": "linux"}}]),
    "torn": document("manifest.v1+json", config=part("config.v1+json", CONFIG),
                     layers=[part("layer.v1.tar", LAYER)]),
}
BLOBS = {digest(CONFIG): CONFIG, digest(LAYER): TORN}


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path = self.path.split("?")[0]
        if path in ("/v2/", "/token"):
            return self.send(200, b'{"token": "made-up"}')
        name, last = path.removeprefix("/v2/").split("/")[0], path.split("/")[-1]
        if name in MANIFESTS:
            manifest = MANIFESTS[name]
            if "/blobs/" in path and last in BLOBS:
                return self.send(200, BLOBS[last], "application/octet-stream")
            if "/manifests/" in path and last in (digest(manifest), "1"):
                return self.send(200, manifest, json.loads(manifest)["mediaType"])
        status, code, message = REFUSALS.get(name, NOT_FOUND)
        errors = {"errors": [{"code": code, "message": message, "detail": {"path": path}}]}
        self.send(status, json.dumps(errors).encode(), login=LOGINS.get(name))

    do_GET = do_HEAD = answer

    def send(self, status, body, media_type="application/json", login=None):
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", digest(body))
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        if login:
            self.send_header("WWW-Authenticate", login)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", PORT), Registry).serve_forever()
