"""A real server with the pipeline of the tests, and a small server that plays refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PIPELINE = Path(__file__).parent / "pipeline"
START_S = 120


@dataclass(frozen=True)
class Served:
    url: str
    admin_url: str


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`EQUIPOISE_COMMAND` is the command of the server; default `equipoise` of the path."""
    command = os.environ.get("EQUIPOISE_COMMAND", "equipoise")
    folder = tmp_path_factory.mktemp("pipeline")
    shutil.copytree(PIPELINE, folder, dirs_exist_ok=True)
    ports = ["--port", "0", "--admin-port", "0", "--arrival-rps", "5"]
    server = subprocess.Popen(
        [command, "serve", str(folder / "pipeline.yaml"), *ports], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    timer = threading.Timer(START_S, server.kill)
    timer.start()
    log = ""
    for line in server.stderr:
        log += line
        if re.search(r"ready http", line):
            break
    timer.cancel()
    found = {name: re.search(pattern, log) for name, pattern in ADDRESSES.items()}
    if server.poll() is not None or None in found.values():
        server.kill()
        pytest.fail(f"the server did not start:\n{log}")
    # A server whose log nobody reads would block.
    threading.Thread(target=server.stderr.read, daemon=True).start()
    yield Served(**{name: match[1] for name, match in found.items() if match})
    server.send_signal(signal.SIGTERM)
    server.wait(60)


ADDRESSES = {"url": r"ready (http://[^\s/]+)", "admin_url": r"admin port (http://[^\s/]+)"}


@dataclass
class Played:
    """Answers in the order in which they are given: status, headers, body. The last one repeats."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def played() -> Iterator[Played]:
    play = Played()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            play.asked.append((self.path, dict(self.headers), body))
            status, headers, answer = play.answers.pop(0) if len(play.answers) > 1 else play.answers[0]
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    play.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield play
    server.shutdown()
    server.server_close()
