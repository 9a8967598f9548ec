"""A Docker daemon and a Kubernetes API server as far as two questions go: what exists, and what does not."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def open_api(answers: Mapping[str, Any], refused: int = 404) -> Iterator[str]:
    """An HTTP server that knows the end of a path, each with its JSON; all else is `refused`. Gives host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = [answer for end, answer in answers.items() if self.path.endswith(end)]
            body = json.dumps(found[0] if found else {"message": "not found"}).encode()
            self.send_response(200 if found else refused)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
