"""A container registry that has nothing: every pull is refused for real, as a registry refuses it.

usage: registry.py PORT

The first word of an image's path chooses the refusal (`localhost:PORT/forbidden/web:1` is 403);
any other path answers 404 MANIFEST_UNKNOWN. Shapes: OCI distribution specification, "Error Codes".
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOT_FOUND = (404, "MANIFEST_UNKNOWN", "manifest unknown")
REFUSALS = {
    "private": (401, "UNAUTHORIZED", "authentication required"),
    "forbidden": (403, "DENIED", "requested access to the resource is denied"),
    "busy": (429, "TOOMANYREQUESTS", "pull rate limit exceeded"),
    "broken": (503, "UNAVAILABLE", "service unavailable"),
}


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path = self.path.split("?")[0].removeprefix("/v2/")
        if path == "":
            return self.send(200, {})
        status, code, message = REFUSALS.get(path.split("/")[0], NOT_FOUND)
        self.send(status, {"errors": [{"code": code, "message": message, "detail": {"path": path}}]})

    do_GET = do_HEAD = answer

    def send(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Registry).serve_forever()
