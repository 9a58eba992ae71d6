"""A service on this machine that answers as Hugging Face's text classification does, by a classifier of the audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from audit.models.classifiers.model import ClassifierModel


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, classifier: ClassifierModel) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.classifier = classifier


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Scores of each label for each text."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        model = self.server.classifier
        rows = model.answer([texts] if isinstance(texts, str) else texts).rows.tolist()
        said = [[{"label": label, "score": p} for label, p in zip(model.labels, row, strict=True)] for row in rows]
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served(classifier: ClassifierModel) -> Iterator[str]:
    """The address at which a classifier answers for so long."""
    server = _Server(classifier)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
