"""A local web server that misbehaves on request."""

import hashlib
import http.server
import threading
import time


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (path to bytes) on 127.0.0.1.

    Attributes
    ----------
    ranges, tags : bool
        Whether parts of files are served, and whether versions are told by ETag.
    faults : list
        What goes wrong with the coming requests, one entry each: a status, `cut` (half of the body,
        then the end), `stall` (half of the body, then silence), `html`, or None.
    asked : list of (str, str or None)
        Path and Range of every request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.asked = {}, [], []
        self.ranges = self.tags = True
        self.pause_s = 0  # after every 1000 bytes
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def url(self, path):
        """Address of a path."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def stop(self):
        """End the server and all that stall."""
        self.closing.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; see `Server`."""

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        fault = server.faults.pop(0) if server.faults else None
        body = server.files.get(self.path)
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
            return
        if body is None or isinstance(fault, int):
            self.send_error(fault or 404)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        first = 0
        if wanted and server.ranges and self.headers.get("If-Range", tag) == tag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if server.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Type", "text/html" if fault == "html" else "application/data")
        rest = body[first:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if fault in ("cut", "stall"):
            rest = rest[: len(rest) // 2]
        for start in range(0, len(rest), 1000 if server.pause_s else len(rest)):
            self.wfile.write(rest[start : start + 1000] if server.pause_s else rest)
            time.sleep(server.pause_s)
        self.wfile.flush()
        if fault == "stall":
            server.closing.wait(10)

    def log_message(self, *arguments):
        """Nothing on the terminal."""
