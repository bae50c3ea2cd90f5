"""Clients of the serving port. Both classes have the same methods; those of `AsyncClient` are awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from .retries import Retries
from .serving_types import FeedbackAnswer, IndexEntry, ModelConfig, ModelMetadata, ServerMetadata, Statistics
from .tensors import JSON_LENGTH_HEADER, Inputs, Outputs, infer_body, infer_outputs, plain
from .transport import DEFAULT_TIMEOUT_S, SLO_TIMEOUT_S, AsyncSender, Call, Sender


def _output(outputs: Mapping[str, Any], name: str) -> Any:
    if name in outputs:
        return outputs[name]
    raise KeyError(f"there is no output {name!r}; the outputs are {', '.join(outputs) or 'none'}")


@dataclass(frozen=True)
class InferResult:
    """`missing` names the parts that a partial answer lacks."""

    outputs: Outputs
    id: str
    model_name: str
    missing: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return _output(self.outputs, name)


@dataclass(frozen=True)
class RunResult:
    """Answer of `run`: nested lists by tensor; a scalar is a single value."""

    outputs: Mapping[str, Any]
    id: str
    latency_ms: float
    missing: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return _output(self.outputs, name)


def _json(response: httpx.Response) -> Any:
    return response.json()


def _get(path: str) -> Call[Any]:
    return Call("GET", path, _json)


def _is_ok(response: httpx.Response) -> bool:
    return response.status_code == 200


def _probe(path: str) -> Call[bool]:
    return Call("GET", path, _is_ok, accepted=(200, 503))


def _model(pipeline: str, rest: str = "") -> str:
    return f"/v2/models/{quote(pipeline, safe='')}{rest}"


def _answers(pipeline: str) -> str:
    return f"/v1/pipelines/{quote(pipeline, safe='')}/answers"


def _infer(
    pipeline: str,
    inputs: Inputs,
    *,
    outputs: Sequence[str] | None,
    request_id: str | None,
    priority: int | None,
    timeout_s: float | None,
) -> Call[InferResult]:
    def content(left_s: float) -> tuple[bytes, Mapping[str, str]]:
        parameters: dict[str, Any] = {}
        if timeout_s is not None:
            parameters["timeout_ms"] = _timeout_ms(left_s)
        if priority is not None:
            parameters["priority"] = priority
        return infer_body(inputs, outputs=outputs, request_id=request_id, parameters=parameters)

    # Wrong inputs are errors of the caller, before anything is sent.
    content(1)
    return Call("POST", _model(pipeline, "/infer"), _infer_result, content)


def _infer_result(response: httpx.Response) -> InferResult:
    answer, outputs = infer_outputs(response.content, response.headers.get(JSON_LENGTH_HEADER))
    missing = str(answer.get("parameters", {}).get("missing", ""))
    return InferResult(outputs, answer["id"], answer["model_name"], tuple(missing.split(",")) if missing else ())


def _run(
    pipeline: str, body: bytes | str, *, content_type: str, priority: int | None, timeout_s: float | None
) -> Call[RunResult]:
    def query(left_s: float) -> Mapping[str, Any]:
        timeout = {"timeout_ms": _timeout_ms(left_s)} if timeout_s is not None else {}
        return {**timeout, **({"priority": priority} if priority is not None else {})}

    raw = body.encode() if isinstance(body, str) else bytes(body)
    path = f"/v1/pipelines/{quote(pipeline, safe='')}/run"
    return Call("POST", path, _run_result, lambda _: (raw, {"content-type": content_type}), query)


def _run_result(response: httpx.Response) -> RunResult:
    answer = response.json()
    return RunResult(answer["outputs"], answer["id"], answer["latencyMs"], tuple(answer.get("missing", ())))


def _feedback(pipeline: str, request_id: str, fields: Mapping[str, Any]) -> Call[FeedbackAnswer]:
    given = {name: value for name, value in fields.items() if value is not None}
    if ("score" in given) == ("label" in given):
        raise ValueError("feedback needs either a score or a label")
    return _post_json(_model(pipeline, "/feedback"), {"id": request_id, **given})


def _post_json(path: str, body: Mapping[str, Any]) -> Call[Any]:
    def content(_: float) -> tuple[bytes, Mapping[str, str]]:
        # httpx writes the JSON, so that both packages agree on NaN and on Unicode.
        request = httpx.Request("POST", "http://body", json=plain(body))
        return request.content, {"content-type": "application/json"}

    return Call("POST", path, _json, content)


def _timeout_ms(left_s: float) -> float:
    return left_s * 1000


class Client:
    """Blocking client of one server; safe to share between threads.

    `timeout_s` of a call is its deadline: the server gets the time that is left, and all attempts end by then. Without
    it the server sets the deadline, by the SLO of the pipeline, and the client waits for up to an hour. Calls raise
    `RefusedError` or `UnreachableError`.
    """

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries | None = None, **options: Any
    ) -> None:
        self._sender = Sender(base_url, token=token, retries=retries or Retries(), **options)

    def infer(
        self,
        pipeline: str,
        inputs: Inputs,
        *,
        outputs: Sequence[str] | None = None,
        request_id: str | None = None,
        priority: int | None = None,
        timeout_s: float | None = None,
    ) -> InferResult:
        """Runs a pipeline on tensors. A leading dimension beyond the declared shape makes a client batch."""
        call = _infer(pipeline, inputs, outputs=outputs, request_id=request_id, priority=priority, timeout_s=timeout_s)
        return self._sender.send(call, SLO_TIMEOUT_S if timeout_s is None else timeout_s)

    def run(
        self,
        pipeline: str,
        body: bytes | str,
        *,
        content_type: str = "application/octet-stream",
        priority: int | None = None,
        timeout_s: float | None = None,
    ) -> RunResult:
        """Runs a pipeline on a body: an image, text or JSON."""
        call = _run(pipeline, body, content_type=content_type, priority=priority, timeout_s=timeout_s)
        return self._sender.send(call, SLO_TIMEOUT_S if timeout_s is None else timeout_s)

    def feedback(
        self,
        pipeline: str,
        request_id: str,
        *,
        score: float | None = None,
        label: Any = None,
        item: int | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> FeedbackAnswer:
        """Sends the score (0 to 1) or the label of an earlier answer."""
        return self._sender.send(
            _feedback(pipeline, request_id, {"score": score, "label": label, "item": item}), timeout_s
        )

    def live(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        return self._sender.send(_probe("/livez"), timeout_s)

    def ready(self, pipeline: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        """True if a pipeline, or without a name all pipelines, can answer."""
        return self._sender.send(_probe("/readyz" if pipeline is None else _model(pipeline, "/ready")), timeout_s)

    def server_metadata(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ServerMetadata:
        return cast(ServerMetadata, self._sender.send(_get("/v2"), timeout_s))

    def model_metadata(self, pipeline: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ModelMetadata:
        """Tensors of a pipeline, or of a stage by `PIPELINE.STAGE`."""
        return cast(ModelMetadata, self._sender.send(_get(_model(pipeline)), timeout_s))

    def model_config(self, pipeline: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ModelConfig:
        return cast(ModelConfig, self._sender.send(_get(_model(pipeline, "/config")), timeout_s))

    def statistics(self, pipeline: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Statistics:
        path = "/v2/models/stats" if pipeline is None else _model(pipeline, "/stats")
        return cast(Statistics, self._sender.send(_get(path), timeout_s))

    def repository_index(self, *, ready: bool = False, timeout_s: float = DEFAULT_TIMEOUT_S) -> list[IndexEntry]:
        """All pipelines, or only those that are ready."""
        call = _post_json("/v2/repository/index", {"ready": ready})
        return cast(list[IndexEntry], self._sender.send(call, timeout_s))

    def answers(self, pipeline: str) -> Iterator[dict[str, Any]]:
        """Answers of all requests by `id` as they end, from now on: `event` is `answer` or `failure`."""
        return self._sender.answers(_answers(pipeline))

    def openapi(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        return cast(dict[str, Any], self._sender.send(_get("/openapi.json"), timeout_s))

    def close(self) -> None:
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Like `Client`, with asyncio."""

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries | None = None, **options: Any
    ) -> None:
        self._sender = AsyncSender(base_url, token=token, retries=retries or Retries(), **options)

    async def infer(
        self,
        pipeline: str,
        inputs: Inputs,
        *,
        outputs: Sequence[str] | None = None,
        request_id: str | None = None,
        priority: int | None = None,
        timeout_s: float | None = None,
    ) -> InferResult:
        call = _infer(pipeline, inputs, outputs=outputs, request_id=request_id, priority=priority, timeout_s=timeout_s)
        return await self._sender.send(call, SLO_TIMEOUT_S if timeout_s is None else timeout_s)

    async def run(
        self,
        pipeline: str,
        body: bytes | str,
        *,
        content_type: str = "application/octet-stream",
        priority: int | None = None,
        timeout_s: float | None = None,
    ) -> RunResult:
        call = _run(pipeline, body, content_type=content_type, priority=priority, timeout_s=timeout_s)
        return await self._sender.send(call, SLO_TIMEOUT_S if timeout_s is None else timeout_s)

    async def feedback(
        self,
        pipeline: str,
        request_id: str,
        *,
        score: float | None = None,
        label: Any = None,
        item: int | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> FeedbackAnswer:
        return await self._sender.send(
            _feedback(pipeline, request_id, {"score": score, "label": label, "item": item}), timeout_s
        )

    async def live(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        return await self._sender.send(_probe("/livez"), timeout_s)

    async def ready(self, pipeline: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        return await self._sender.send(_probe("/readyz" if pipeline is None else _model(pipeline, "/ready")), timeout_s)

    async def server_metadata(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ServerMetadata:
        return cast(ServerMetadata, await self._sender.send(_get("/v2"), timeout_s))

    async def model_metadata(self, pipeline: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ModelMetadata:
        return cast(ModelMetadata, await self._sender.send(_get(_model(pipeline)), timeout_s))

    async def model_config(self, pipeline: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ModelConfig:
        return cast(ModelConfig, await self._sender.send(_get(_model(pipeline, "/config")), timeout_s))

    async def statistics(self, pipeline: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Statistics:
        path = "/v2/models/stats" if pipeline is None else _model(pipeline, "/stats")
        return cast(Statistics, await self._sender.send(_get(path), timeout_s))

    async def repository_index(self, *, ready: bool = False, timeout_s: float = DEFAULT_TIMEOUT_S) -> list[IndexEntry]:
        call = _post_json("/v2/repository/index", {"ready": ready})
        return cast(list[IndexEntry], await self._sender.send(call, timeout_s))

    def answers(self, pipeline: str) -> AsyncIterator[dict[str, Any]]:
        return self._sender.answers(_answers(pipeline))

    async def openapi(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        return cast(dict[str, Any], await self._sender.send(_get("/openapi.json"), timeout_s))

    async def close(self) -> None:
        await self._sender.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
