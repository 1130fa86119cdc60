"""Git over HTTP on loopback with basic authentication; Git's own `git http-backend` does the work.

usage: git-server.py PORT ROOT USERS

ROOT holds bare repositories (`ROOT/shop.git` is `http://127.0.0.1:PORT/shop.git`). USERS is a file
with one `name:password:rights` a line; rights are `write` or `read`. Without a login: 401. A push
by a reader: 403.
"""

import base64
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

PORT, ROOT, USERS_FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def read_users():
    with open(USERS_FILE, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(":") for line in file if line.strip()]
    return {(name, password): rights for name, password, rights in rows}


class GitServer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.read_body())

    def read_body(self):
        """The whole request body; Git sends a large push in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def login(self):
        """(name, rights), or None for a missing or wrong login."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return None
        rights = read_users().get((name, password))
        return (name, rights) if rights else None

    def serve(self, body):
        url = urlsplit(self.path)
        login = self.login()
        if login is None:
            return self.refuse(401, "authentication required")
        name, rights = login
        if rights != "write" and "git-receive-pack" in self.path:
            return self.refuse(403, f"{name} may not push")
        backend = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, check=False,
            env=self.cgi_environment(url, name, len(body)))
        self.relay(backend.stdout)

    def cgi_environment(self, url, name, length):
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            # The repositories may belong to the user who runs the tests.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            # A named user is what lets `git http-backend` accept a push.
            "REMOTE_USER": name,
            "REMOTE_ADDR": self.client_address[0],
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(url.path),
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
        }
        # The backend inflates a gzip body itself and speaks protocol 2 when asked.
        for header, variable in [("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")]:
            if header in self.headers:
                environment[variable] = self.headers[header]
        return environment

    def relay(self, answer):
        """A CGI answer: header lines, an empty line, the body."""
        head, separator, body = answer.partition(b"\r\n\r\n")
        if not separator:
            return self.refuse(500, "git http-backend gave no answer")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message):
        body = f"{message}\n".encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", PORT), GitServer).serve_forever()
