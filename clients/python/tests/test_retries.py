from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

import numpy as np
import pytest
from conftest import Played

from equipoise_client import (
    AdminClient,
    AsyncAdminClient,
    AsyncClient,
    Client,
    EquipoiseError,
    RefusedError,
    Retries,
    UnreachableError,
)

ANSWER = {"model_name": "m", "id": "i", "outputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, None]}]}
BUSY = {"error": "full", "code": "DROPPED", "reason": "queue-full", "details": {"retryAfterMs": 20}}
X = {"x": np.array([1], dtype=np.float32)}
NO_JITTER = Retries(most=3, jitter_fraction=0)


def test_a_drop_is_sent_again_after_the_stated_time(played: Played) -> None:
    played.answers = [
        (503, {"retry-after": "1"}, BUSY),
        (429, {"retry-after": "0"}, {"error": "slow"}),
        (200, {}, ANSWER),
    ]
    with Client(played.url, retries=NO_JITTER) as client:
        started_at_s = time.monotonic()
        result = client.infer("m", X, timeout_s=20)
    assert len(played.asked) == 3
    # The body states 20 ms, more precisely than the header.
    assert time.monotonic() - started_at_s >= 0.02
    assert result["x"].dtype == np.float32 and np.isnan(result["x"][1])


def test_gives_up_without_time_or_attempts(played: Played) -> None:
    played.answers = [(503, {"retry-after": "30"}, {"error": "full"})]
    with Client(played.url) as client, pytest.raises(RefusedError) as error:
        client.infer("m", X, timeout_s=5)
    assert (len(played.asked), error.value.retry_after_s) == (1, 30)
    played.answers = [(503, {}, BUSY)]
    with Client(played.url, retries=Retries(most=2)) as client, pytest.raises(RefusedError):
        client.infer("m", X, timeout_s=5)
    assert len(played.asked) == 4


def test_other_refusals_are_not_repeated(played: Played) -> None:
    played.answers = [(500, {}, b"<html>bad gateway</html>")]
    with Client(played.url) as client, pytest.raises(RefusedError) as error:
        client.infer("m", X)
    assert (len(played.asked), error.value.code, error.value.message) == (1, "", "<html>bad gateway</html>")


def test_answers_that_contradict_themselves(played: Played) -> None:
    short = {"model_name": "m", "id": "i", "outputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1]}]}
    answers: list[Any] = [b"not json", short, {"id": "i"}, []]
    for answer in answers:
        played.answers = [(200, {}, answer)]
        with Client(played.url) as client, pytest.raises(EquipoiseError, match="not as expected"):
            client.infer("m", X)


async def test_a_closed_port_is_tried_again_and_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    retries = Retries(most=2, connect_wait_s=0.01)
    with Client(url, retries=retries) as client, pytest.raises(UnreachableError, match="POST /v2/models/m/infer"):
        client.infer("m", X, timeout_s=5)
    async with AsyncClient(url, retries=retries) as client:
        with pytest.raises(UnreachableError):
            await client.infer("m", X, timeout_s=5)


def test_each_attempt_states_the_time_that_is_left(played: Played) -> None:
    played.answers = [(503, {}, BUSY), (200, {}, ANSWER)]
    with Client(played.url, retries=NO_JITTER) as client:
        client.infer("m", X, timeout_s=7)
    lengths = [int(headers["inference-header-content-length"]) for _, headers, _ in played.asked]
    bodies = [json.loads(body[:length]) for (_, _, body), length in zip(played.asked, lengths, strict=True)]
    first, second = [body["parameters"]["timeout_ms"] for body in bodies]
    assert second <= first - 20 and first <= 7000


def test_waits_differ_by_chance() -> None:
    error = RefusedError(503, "full", retry_after_s=1)
    retries = Retries(chance=random.Random(7))
    waits = [retries.wait_s(error, 0) for _ in range(3)]
    assert len(set(waits)) == 3 and all(wait is not None and 1 <= wait <= 1.1 for wait in waits)
    assert retries.wait_s(error, 3) is None


def test_a_client_of_the_admin_port_has_retries_of_its_own(played: Played) -> None:
    played.answers = [(503, {}, BUSY)]
    with AdminClient(played.url, retries=Retries(most=0)) as admin, pytest.raises(RefusedError):
        admin.pipelines()
    assert len(played.asked) == 1


async def test_a_client_with_asyncio_has_retries_of_its_own(played: Played) -> None:
    played.answers = [(503, {}, BUSY)]
    async with AsyncAdminClient(played.url, retries=Retries(most=0)) as admin:
        with pytest.raises(RefusedError):
            await admin.pipelines()
    assert len(played.asked) == 1


def test_the_token_is_sent(played: Played) -> None:
    played.answers = [(200, {}, ANSWER)]
    with Client(played.url, token="secret") as client:
        client.infer("m", X)
    assert played.asked[0][1]["authorization"] == "Bearer secret"
