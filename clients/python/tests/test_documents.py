"""The OpenAPI documents of a running server: a client generated from them, and a tester of them, both by others."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Served

ENVIRONMENT = Path(sys.executable).parent
INFER = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}], "parameters": {"timeout_ms": 5000}}
BODIES: dict[str, Any] = {
    "infer": INFER,
    "aggregate": {"id": "1", "model_name": "first", "outputs": INFER["inputs"]},
    "run": {"input": [1]},
    "feedback": {"id": "none", "score": 1},
    "repository_index": {"ready": True},
    "plan": {"arrivalRps": 1, "verify": False},
    "pin": {"stageId": "echo", "replicas": 1},
    "apply": {"decisionId": 1},
}
PORTS = ("serving", "admin")
# The generator knows bytes as application/octet-stream only.
UNSUPPORTED = {
    "serving": {f"Unsupported content type {kind}" for kind in ("text/plain", "*/*")},
    "admin": set[str](),
}


def _url(served: Served, port: str) -> str:
    return served.url if port == "serving" else served.admin_url


@pytest.mark.parametrize("port", PORTS)
def test_a_generated_client_calls_every_route(
    served: Served, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, client, package = _generated(served, port, tmp_path, monkeypatch)
    called: dict[str, int] = {}
    for path in document["paths"].values():
        for operation in path.values():
            name = _snake(operation["operationId"])
            # Streams do not end.
            if name in ("events", "answers"):
                continue
            module = importlib.import_module(f"{package}.api.default.{name}")
            response = module.sync_detailed(**_arguments(module, name, client))
            called[name] = int(response.status_code)
            assert str(called[name]) in operation["responses"], name
    assert len(called) >= 15
    allowed = {200: called.keys(), 404: {"feedback", "decision"}, 409: {"apply", "roll_back"}}
    assert {name: status for name, status in called.items() if name not in allowed.get(status, ())} == {}


def test_a_generated_client_sends_bytes(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, client, package = _generated(served, "serving", tmp_path, monkeypatch)
    file = importlib.import_module(f"{package}.types").File
    called = {name: importlib.import_module(f"{package}.api.default.{name}").sync_detailed for name in ("run", "infer")}
    ran = called["run"](pipeline="echo", client=client, body=file(payload=io.BytesIO(b"\x01\x02")))
    assert (ran.status_code, ran.parsed.outputs.to_dict()) == (200, {"input": [1, 2]})
    raw = {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
    text = json.dumps({"inputs": [raw], "parameters": {"timeout_ms": 5000}}).encode()
    body = file(payload=io.BytesIO(text + struct.pack("<2f", 1, 2)))
    inferred = called["infer"](
        pipeline="echo",
        client=client,
        body=body,
        inference_header_content_length=len(text),
        x_request_id="raw-1",
    )
    assert (inferred.status_code, inferred.headers["x-request-id"]) == (200, "raw-1")
    assert [output.data for output in inferred.parsed.outputs] == [[1, 2]]


def _generated(served: Served, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, str]:
    """The document of the port, a client made from it, and the name of the client's package."""
    url = _url(served, port)
    document = httpx.get(f"{url}/openapi.json").raise_for_status().json()
    (tmp_path / "document.json").write_text(json.dumps(document))
    package = f"generated_{tmp_path.name}_{port}"
    # The generator looks for ruff on the path to format its code.
    monkeypatch.setenv("PATH", str(ENVIRONMENT), prepend=os.pathsep)
    command: list[str | Path] = [ENVIRONMENT / "openapi-python-client", "generate", "--meta", "none"]
    generated = subprocess.run(
        [*command, "--path", tmp_path / "document.json", "--output-path", tmp_path / package],
        capture_output=True,
        text=True,
        check=False,
    )
    text = generated.stdout + generated.stderr
    assert generated.returncode == 0, text
    assert set(re.findall(r"^(?:Missing|Unsupported|Invalid|Could|Cannot).*", text, re.M)) == UNSUPPORTED[port], text
    monkeypatch.syspath_prepend(tmp_path)
    return document, importlib.import_module(package).Client(base_url=url, timeout=httpx.Timeout(60)), package


def _arguments(module: Any, name: str, client: Any) -> dict[str, Any]:
    known = {"client": client, "pipeline": "echo", "decision": "1"}
    parameters = inspect.signature(module.sync_detailed).parameters
    arguments = {each: known[each] for each in parameters if each in known}
    if "body" in parameters:
        kind = parameters["body"].annotation
        model = next(each for each in vars(module).values() if _is_body(each, kind))
        body = model.from_dict(BODIES.get(name, {}))
        arguments["body"] = [body] if "list[" in str(kind) else body
    return arguments


def _is_body(value: Any, annotation: Any) -> bool:
    return inspect.isclass(value) and hasattr(value, "from_dict") and value.__name__ in str(annotation)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@pytest.mark.parametrize("port", PORTS)
def test_no_answer_contradicts_the_document(served: Served, port: str, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"path.pipeline" = "echo"\n"path.decision" = "1"\n')
    checks = "status_code_conformance,content_type_conformance,response_schema_conformance"
    tested = subprocess.run(
        [
            *(ENVIRONMENT / "schemathesis", "--config-file", tmp_path / "schemathesis.toml"),
            *("run", f"{_url(served, port)}/openapi.json", "--exclude-path", "/admin/events"),
            *("--exclude-path", "/v1/pipelines/{pipeline}/answers"),
            *("--checks", checks, "--phases", "fuzzing", "--max-examples", "5", "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
