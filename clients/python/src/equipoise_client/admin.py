"""Clients of the admin port. Both classes have the same methods; those of `AsyncAdminClient` are awaited."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from .admin_types import (
    ActionResult,
    DecisionPage,
    DecisionRecord,
    FrontierAnswer,
    History,
    IncidentCard,
    Pipeline,
    PipelineCounts,
    PipelineGraph,
    PlanAnswer,
    Profiles,
    Quarantine,
    RunningPlan,
    SourceParts,
    TracedRequests,
)
from .events import EventLines
from .retries import Retries
from .tensors import plain
from .transport import AsyncSender, Call, Sender

# A canary or a plan with its simulation takes longer than a question.
DEFAULT_TIMEOUT_S = 120.0
Fields = Mapping[str, Any]


def _path(pipeline: str, rest: str = "") -> str:
    return f"/admin/pipelines/{quote(pipeline, safe='')}{rest}"


def _read(response: httpx.Response) -> Any:
    return response.json()


def _get(path: str, query: Fields | None = None) -> Call[Any]:
    stated = {name: value for name, value in (query or {}).items() if value is not None}
    return Call("GET", path, _read, query=lambda _: stated)


def _post(path: str, fields: Fields) -> Call[Any]:
    stated = {name: value for name, value in fields.items() if value is not None}
    body = json.dumps(plain(stated), allow_nan=False).encode()
    return Call("POST", path, _read, lambda _: (body, {"content-type": "application/json"}))


def _plan_fields(
    arrival_rps: float,
    slo_latency_ms: float | None,
    budget_cpu_cores: float | None,
    objective: Fields | None,
    pins: Mapping[str, Fields] | None,
    verify: bool,
) -> Fields:
    return {
        "arrivalRps": arrival_rps,
        "sloLatencyMs": slo_latency_ms,
        "budgetCpuCores": budget_cpu_cores,
        "objective": objective,
        "pins": pins,
        "verify": verify,
    }


def _pin_fields(
    stage: str,
    variant: str | None,
    cpu_cores: float | None,
    max_batch_size: int | None,
    replicas: int | None,
    threshold: float | None,
    quorum: int | None,
    reason: str | None,
) -> Fields:
    return {
        "stageId": stage,
        "variantId": variant,
        "cpuCores": cpu_cores,
        "maxBatchSize": max_batch_size,
        "replicas": replicas,
        "threshold": threshold,
        "quorum": quorum,
        "reason": reason,
    }


def _history_query(from_epoch_ms: float | None, to_epoch_ms: float | None, max_points: int | None) -> Fields:
    return {"fromEpochMs": from_epoch_ms, "toEpochMs": to_epoch_ms, "maxPoints": max_points}


_EVENTS = "/admin/events"


class AdminClient:
    """Blocking client of the admin port. All calls raise `RefusedError` or `UnreachableError`."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: Retries | None = None,
        **options: Any,
    ) -> None:
        self._sender = Sender(base_url, token=token, retries=retries or Retries(), **options)
        self._timeout_s = timeout_s

    def _send(self, call: Call[Any]) -> Any:
        return self._sender.send(call, self._timeout_s)

    def pipelines(self) -> list[Pipeline]:
        return cast(list[Pipeline], self._send(_get("/admin/pipelines"))["pipelines"])

    def pipeline(self, pipeline: str) -> Pipeline:
        return cast(Pipeline, self._send(_get(_path(pipeline))))

    def running_plan(self, pipeline: str) -> RunningPlan:
        return cast(RunningPlan, self._send(_get(_path(pipeline, "/running-plan"))))

    def graph(self, pipeline: str) -> PipelineGraph:
        return cast(PipelineGraph, self._send(_get(_path(pipeline, "/graph"))))

    def counts(self, pipeline: str) -> PipelineCounts:
        return cast(PipelineCounts, self._send(_get(_path(pipeline, "/counts"))))

    def frontier(self, pipeline: str, arrival_rps: float | None = None) -> FrontierAnswer:
        """The most accurate plan for each cost, by default at the current load."""
        query = {"arrivalRps": arrival_rps}
        return cast(FrontierAnswer, self._send(_get(_path(pipeline, "/frontier"), query)))

    def profiles(self, pipeline: str) -> Profiles:
        return cast(Profiles, self._send(_get(_path(pipeline, "/profiles"))))

    def history(
        self,
        pipeline: str,
        *,
        from_epoch_ms: float | None = None,
        to_epoch_ms: float | None = None,
        max_points: int | None = None,
    ) -> History:
        """The last hour, or a part of it, in at most `max_points` steps."""
        query = _history_query(from_epoch_ms, to_epoch_ms, max_points)
        return cast(History, self._send(_get(_path(pipeline, "/history"), query)))

    def why(
        self, pipeline: str, *, from_epoch_ms: float | None = None, to_epoch_ms: float | None = None
    ) -> IncidentCard:
        """Why requests were dropped, late or failed; by default in the last ten minutes."""
        fields = {"fromEpochMs": from_epoch_ms, "toEpochMs": to_epoch_ms}
        return cast(IncidentCard, self._send(_post(_path(pipeline, "/why"), fields)))

    def requests(self, pipeline: str, *, slowest: bool = False, limit: int = 50) -> TracedRequests:
        """Traced requests with the time that they spent at each stage: the newest, or the slowest ones."""
        query = {"slowest": "true" if slowest else "false", "limit": limit}
        return cast(TracedRequests, self._send(_get(_path(pipeline, "/requests"), query)))

    def sources(self, pipeline: str) -> SourceParts:
        return cast(SourceParts, self._send(_get(_path(pipeline, "/sources"))))

    def plan(
        self,
        pipeline: str,
        arrival_rps: float,
        *,
        slo_latency_ms: float | None = None,
        budget_cpu_cores: float | None = None,
        objective: Fields | None = None,
        pins: Mapping[str, Fields] | None = None,
        verify: bool = True,
    ) -> PlanAnswer:
        """Makes a plan and does not apply it."""
        fields = _plan_fields(arrival_rps, slo_latency_ms, budget_cpu_cores, objective, pins, verify)
        return cast(PlanAnswer, self._send(_post(_path(pipeline, "/plan"), fields)))

    def decisions(self, pipeline: str, *, page: int = 50) -> Iterator[Mapping[str, Any]]:
        """All decisions of the log, the newest first."""
        before: int | None = None
        while True:
            call = _get(_path(pipeline, "/decisions"), {"limit": page, "before": before})
            answer = cast(DecisionPage, self._send(call))
            yield from cast(list[Mapping[str, Any]], answer["decisions"])
            before = answer.get("nextBefore")
            if before is None:
                return

    def decision(self, pipeline: str, decision: int) -> DecisionRecord:
        return cast(DecisionRecord, self._send(_get(_path(pipeline, f"/decisions/{decision}"))))

    def pause(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return self._act(pipeline, "pause", {"reason": reason})

    def resume(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return self._act(pipeline, "resume", {"reason": reason})

    def advise(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return self._act(pipeline, "advise", {"reason": reason})

    def pin(
        self,
        pipeline: str,
        stage: str,
        *,
        variant: str | None = None,
        cpu_cores: float | None = None,
        max_batch_size: int | None = None,
        replicas: int | None = None,
        threshold: float | None = None,
        quorum: int | None = None,
        reason: str | None = None,
    ) -> ActionResult:
        fields = _pin_fields(stage, variant, cpu_cores, max_batch_size, replicas, threshold, quorum, reason)
        return self._act(pipeline, "pin", fields)

    def unpin(self, pipeline: str, stage: str | None = None, *, reason: str | None = None) -> ActionResult:
        return self._act(pipeline, "unpin", {"stageId": stage, "reason": reason})

    def apply(
        self,
        pipeline: str,
        *,
        decision: int | None = None,
        stages: Fields | None = None,
        canary: bool | None = None,
        reason: str | None = None,
    ) -> ActionResult:
        """Applies the plan of a decision, or `stages` of a plan; waits for its canary."""
        fields = {"decisionId": decision, "stages": stages, "canary": canary, "reason": reason}
        return self._act(pipeline, "apply", fields)

    def roll_back(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return self._act(pipeline, "roll-back", {"reason": reason})

    def quarantine(self, pipeline: str) -> Quarantine:
        return cast(Quarantine, self._send(_get(_path(pipeline, "/quarantine"))))

    def clear_quarantine(self, pipeline: str, stage: str | None = None) -> int:
        """Number of freed inputs."""
        return cast(int, self._send(_post(_path(pipeline, "/quarantine/clear"), {"stageId": stage}))["freed"])

    def events(self, pipeline: str | None = None, *, after: int | None = None) -> Iterator[dict[str, Any]]:
        """Events as they happen. Ends if the server ends; call again with `after` to miss none."""
        lines = EventLines(after)
        for event in self._sender.events(_EVENTS, lines, pipeline):
            yield {"eventId": lines.last_id, **event}

    def openapi(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._send(_get("/openapi.json")))

    def close(self) -> None:
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _act(self, pipeline: str, action: str, fields: Fields) -> ActionResult:
        return cast(ActionResult, self._send(_post(_path(pipeline, f"/{action}"), fields)))


class AsyncAdminClient:
    """Like `AdminClient`, with asyncio."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: Retries | None = None,
        **options: Any,
    ) -> None:
        self._sender = AsyncSender(base_url, token=token, retries=retries or Retries(), **options)
        self._timeout_s = timeout_s

    async def _send(self, call: Call[Any]) -> Any:
        return await self._sender.send(call, self._timeout_s)

    async def pipelines(self) -> list[Pipeline]:
        return cast(list[Pipeline], (await self._send(_get("/admin/pipelines")))["pipelines"])

    async def pipeline(self, pipeline: str) -> Pipeline:
        return cast(Pipeline, await self._send(_get(_path(pipeline))))

    async def running_plan(self, pipeline: str) -> RunningPlan:
        return cast(RunningPlan, await self._send(_get(_path(pipeline, "/running-plan"))))

    async def graph(self, pipeline: str) -> PipelineGraph:
        return cast(PipelineGraph, await self._send(_get(_path(pipeline, "/graph"))))

    async def counts(self, pipeline: str) -> PipelineCounts:
        return cast(PipelineCounts, await self._send(_get(_path(pipeline, "/counts"))))

    async def frontier(self, pipeline: str, arrival_rps: float | None = None) -> FrontierAnswer:
        """The most accurate plan for each cost, by default at the current load."""
        query = {"arrivalRps": arrival_rps}
        return cast(FrontierAnswer, await self._send(_get(_path(pipeline, "/frontier"), query)))

    async def profiles(self, pipeline: str) -> Profiles:
        return cast(Profiles, await self._send(_get(_path(pipeline, "/profiles"))))

    async def history(
        self,
        pipeline: str,
        *,
        from_epoch_ms: float | None = None,
        to_epoch_ms: float | None = None,
        max_points: int | None = None,
    ) -> History:
        """The last hour, or a part of it, in at most `max_points` steps."""
        query = _history_query(from_epoch_ms, to_epoch_ms, max_points)
        return cast(History, await self._send(_get(_path(pipeline, "/history"), query)))

    async def why(
        self, pipeline: str, *, from_epoch_ms: float | None = None, to_epoch_ms: float | None = None
    ) -> IncidentCard:
        """Why requests were dropped, late or failed; by default in the last ten minutes."""
        fields = {"fromEpochMs": from_epoch_ms, "toEpochMs": to_epoch_ms}
        return cast(IncidentCard, await self._send(_post(_path(pipeline, "/why"), fields)))

    async def requests(self, pipeline: str, *, slowest: bool = False, limit: int = 50) -> TracedRequests:
        """Traced requests with the time that they spent at each stage: the newest, or the slowest ones."""
        query = {"slowest": "true" if slowest else "false", "limit": limit}
        return cast(TracedRequests, await self._send(_get(_path(pipeline, "/requests"), query)))

    async def sources(self, pipeline: str) -> SourceParts:
        return cast(SourceParts, await self._send(_get(_path(pipeline, "/sources"))))

    async def plan(
        self,
        pipeline: str,
        arrival_rps: float,
        *,
        slo_latency_ms: float | None = None,
        budget_cpu_cores: float | None = None,
        objective: Fields | None = None,
        pins: Mapping[str, Fields] | None = None,
        verify: bool = True,
    ) -> PlanAnswer:
        fields = _plan_fields(arrival_rps, slo_latency_ms, budget_cpu_cores, objective, pins, verify)
        return cast(PlanAnswer, await self._send(_post(_path(pipeline, "/plan"), fields)))

    async def decisions(self, pipeline: str, *, page: int = 50) -> AsyncIterator[Mapping[str, Any]]:
        before: int | None = None
        while True:
            call = _get(_path(pipeline, "/decisions"), {"limit": page, "before": before})
            answer = cast(DecisionPage, await self._send(call))
            for decision in cast(list[Mapping[str, Any]], answer["decisions"]):
                yield decision
            before = answer.get("nextBefore")
            if before is None:
                return

    async def decision(self, pipeline: str, decision: int) -> DecisionRecord:
        return cast(DecisionRecord, await self._send(_get(_path(pipeline, f"/decisions/{decision}"))))

    async def pause(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return await self._act(pipeline, "pause", {"reason": reason})

    async def resume(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return await self._act(pipeline, "resume", {"reason": reason})

    async def advise(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return await self._act(pipeline, "advise", {"reason": reason})

    async def pin(
        self,
        pipeline: str,
        stage: str,
        *,
        variant: str | None = None,
        cpu_cores: float | None = None,
        max_batch_size: int | None = None,
        replicas: int | None = None,
        threshold: float | None = None,
        quorum: int | None = None,
        reason: str | None = None,
    ) -> ActionResult:
        fields = _pin_fields(stage, variant, cpu_cores, max_batch_size, replicas, threshold, quorum, reason)
        return await self._act(pipeline, "pin", fields)

    async def unpin(self, pipeline: str, stage: str | None = None, *, reason: str | None = None) -> ActionResult:
        return await self._act(pipeline, "unpin", {"stageId": stage, "reason": reason})

    async def apply(
        self,
        pipeline: str,
        *,
        decision: int | None = None,
        stages: Fields | None = None,
        canary: bool | None = None,
        reason: str | None = None,
    ) -> ActionResult:
        fields = {"decisionId": decision, "stages": stages, "canary": canary, "reason": reason}
        return await self._act(pipeline, "apply", fields)

    async def roll_back(self, pipeline: str, *, reason: str | None = None) -> ActionResult:
        return await self._act(pipeline, "roll-back", {"reason": reason})

    async def quarantine(self, pipeline: str) -> Quarantine:
        return cast(Quarantine, await self._send(_get(_path(pipeline, "/quarantine"))))

    async def clear_quarantine(self, pipeline: str, stage: str | None = None) -> int:
        answer = await self._send(_post(_path(pipeline, "/quarantine/clear"), {"stageId": stage}))
        return cast(int, answer["freed"])

    async def events(self, pipeline: str | None = None, *, after: int | None = None) -> AsyncIterator[dict[str, Any]]:
        lines = EventLines(after)
        async for event in self._sender.events(_EVENTS, lines, pipeline):
            yield {"eventId": lines.last_id, **event}

    async def openapi(self) -> dict[str, Any]:
        return cast(dict[str, Any], await self._send(_get("/openapi.json")))

    async def close(self) -> None:
        await self._sender.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _act(self, pipeline: str, action: str, fields: Fields) -> ActionResult:
        return cast(ActionResult, await self._send(_post(_path(pipeline, f"/{action}"), fields)))
