"""The OpenAPI documents of a running server: a client generated from them, and a tester of them, both by others."""

from __future__ import annotations

import importlib
import inspect
import json
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
    "feedback": {"id": "none", "score": 1},
    "repository_index": {"ready": True},
    "plan": {"arrivalRps": 1, "verify": False},
    "pin": {"stageId": "echo", "replicas": 1},
    "apply": {"decisionId": 1},
}
PORTS = ("serving", "admin")


def _url(served: Served, port: str) -> str:
    return served.url if port == "serving" else served.admin_url


@pytest.mark.parametrize("port", PORTS)
def test_a_generated_client_calls_every_route(
    served: Served, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _url(served, port)
    document = httpx.get(f"{url}/openapi.json").raise_for_status().json()
    (tmp_path / "document.json").write_text(json.dumps(document))
    package = f"generated_{port}"
    command: list[str | Path] = [
        ENVIRONMENT / "openapi-python-client",
        "generate",
        "--meta",
        "none",
        "--fail-on-warning",
    ]
    generated = subprocess.run(
        [*command, "--path", tmp_path / "document.json", "--output-path", tmp_path / package],
        capture_output=True,
        text=True,
        check=False,
    )
    # The generator looks for ruff on the path to format its code, and warns without it.
    assert (tmp_path / package / "client.py").exists(), generated.stdout + generated.stderr
    monkeypatch.syspath_prepend(tmp_path)
    client = importlib.import_module(package).Client(base_url=url, timeout=httpx.Timeout(60))
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


def _arguments(module: Any, name: str, client: Any) -> dict[str, Any]:
    known = {"client": client, "pipeline": "echo", "decision": "1"}
    parameters = inspect.signature(module.sync_detailed).parameters
    arguments = {each: known[each] for each in parameters if each in known}
    if "body" in parameters:
        kind = parameters["body"].annotation
        if name == "run":
            arguments["body"] = {"input": [1]}
        else:
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
