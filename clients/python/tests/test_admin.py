from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from conftest import Served

from equipoise_client import AdminClient, AsyncAdminClient, Client, RefusedError

# Operations that are no calls of the client.
LEFT_OUT = {"live", "ready", "metrics"}


def test_actions_are_logged(served: Served) -> None:
    with AdminClient(served.admin_url) as admin:
        assert [pipeline["name"] for pipeline in admin.pipelines()] == ["echo"]
        assert "neither plans" in admin.pause("echo", reason="maintenance")["result"]
        assert admin.pipeline("echo")["mode"] == "off"
        admin.advise("echo")
        assert admin.resume("echo")["result"].startswith("mode auto")
        pinned = admin.pin("echo", "echo", variant="only", reason="test")
        assert pinned["id"] == next(iter(admin.decisions("echo")))["id"]
        assert admin.pipeline("echo")["pins"] == {"echo": {"variantId": "only"}}
        admin.unpin("echo", "echo")
        reasons = [decision.get("manual", {}).get("reason") for decision in admin.decisions("echo", page=2)]
        assert "maintenance" in reasons
        first = list(admin.decisions("echo", page=1))[-1]
        assert admin.decision("echo", first["id"])["id"] == first["id"]


def test_plan_and_apply(served: Served) -> None:
    with AdminClient(served.admin_url) as admin:
        rate: Any = np.int64(2)
        planned = admin.plan("echo", rate, slo_latency_ms=10_000, verify=False)
        assert planned["result"]["kind"] == "feasible"
        plan = planned["result"].get("plan")
        assert plan is not None
        applied = admin.apply("echo", stages=plan["stages"], reason="test", canary=False)
        assert applied.get("outcome", {}).get("kind") == "applied"
        assert admin.running_plan("echo")["stages"]["echo"]["replicas"][0]["variantId"] == "only"
        assert len(admin.history("echo", max_points=5)["points"]) <= 5
        assert admin.why("echo")["verdict"] in ("healthy", "incident", "no-data")
        assert len(admin.requests("echo", slowest=True, limit=3)["requests"]) <= 3
        assert admin.quarantine("echo")["inputs"] == [] and admin.clear_quarantine("echo") == 0
        with pytest.raises(RefusedError, match="arrivalRps"):
            admin.plan("echo", -1)
        with pytest.raises(ValueError, match="JSON"):
            admin.plan("echo", float("nan"))
        admin.resume("echo")


def test_events(served: Served) -> None:
    with AdminClient(served.admin_url) as admin:
        admin.pause("echo", reason="first")
        admin.resume("echo", reason="second")
        kept = admin.events("echo", after=0)
        reasons: list[Any] = []
        for event in kept:
            reasons.append(event.get("reason"))
            if event.get("reason") == "second":
                break
        assert "first" in reasons and event["eventId"] > 0
        with pytest.raises(RefusedError):
            next(admin.events("none"))


async def test_asyncio(served: Served) -> None:
    async with AsyncAdminClient(served.admin_url) as admin:
        assert (await admin.pipelines())[0]["name"] == (await admin.pipeline("echo"))["name"]
        await admin.pause("echo", reason="async")
        await admin.advise("echo")
        await admin.resume("echo")
        await admin.pin("echo", "echo", replicas=1)
        await admin.unpin("echo")
        found = [decision async for decision in admin.decisions("echo", page=3)]
        assert (await admin.decision("echo", found[0]["id"]))["id"] == found[0]["id"]
        assert (await admin.plan("echo", 1, verify=False))["result"]["kind"] == "feasible"
        assert "echo" in (await admin.running_plan("echo"))["stages"]
        assert (await admin.history("echo"))["stepMs"] > 0
        assert (await admin.why("echo"))["verdict"] in ("healthy", "incident", "no-data")
        assert "tracing" in await admin.requests("echo")
        assert (await admin.quarantine("echo"))["inputs"] == []
        assert await admin.clear_quarantine("echo", "echo") == 0
        async for event in admin.events("echo", after=0):
            if event.get("reason") == "async":
                break
        with pytest.raises(RefusedError):
            await admin.apply("echo", decision=10**6)
        assert (await admin.openapi())["openapi"] == "3.1.0"


@pytest.mark.parametrize("kind", [AdminClient, AsyncAdminClient])
def test_every_operation_has_a_method(served: Served, kind: type) -> None:
    # Probes and metrics have one method each or none; graph engines call aggregate.
    other = {"openApi", "metrics", "serverLive", "serverReady", "modelReady", "allStatistics", "aggregate"}
    with AdminClient(served.admin_url) as admin, Client(served.url) as client:
        documents = [admin.openapi(), client.openapi()]
    admin_ids, serving_ids = (
        {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
        for document in documents
    )
    assert admin_ids - LEFT_OUT - {"openApi"} <= {_camel(name) for name in dir(kind)}
    assert serving_ids - other <= {_camel(name) for name in dir(Client)} | {"modelStatistics"}


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
