"""Deadlines and hostile answers: slow servers, waiting for a connection, answers of another form."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import Played

from equipoise_client import AsyncClient, Client, EquipoiseError, RefusedError, Retries, UnreachableError
from equipoise_client.tensors import infer_body
from equipoise_client.transport import most_connections

ANSWER = {"model_name": "m", "id": "i", "outputs": []}
X = {"x": np.array([1], dtype=np.float32)}
ONCE = Retries(most=0)
ONE_CONNECTION = httpx.Limits(max_connections=1)


class Trickle(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that never ends, but never pauses for as long as a timeout of httpx. Stops after 20 s."""

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(400):
            time.sleep(0.05)
            yield b" "

    async def __aiter__(self) -> Any:
        for _ in range(400):
            await asyncio.sleep(0.05)
            yield b" "


def trickling() -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle()))


async def test_a_body_that_trickles_does_not_outlast_the_deadline() -> None:
    with Client("http://m", transport=trickling()) as client, pytest.raises(UnreachableError, match="in time"):
        client.infer("m", X, timeout_s=0.1)
    async with AsyncClient("http://m", transport=trickling()) as client:
        with pytest.raises(UnreachableError, match="in time"):
            await client.infer("m", X, timeout_s=0.1)


async def test_a_call_that_waited_for_a_connection_states_the_time_that_is_then_left() -> None:
    told: list[float] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        length = int(request.headers["inference-header-content-length"])
        told.append(json.loads(request.content[:length])["parameters"]["timeout_ms"])
        await asyncio.sleep(0.1)
        return httpx.Response(200, json=ANSWER)

    transport = httpx.MockTransport(answer)
    async with AsyncClient("http://m", transport=transport, limits=ONE_CONNECTION) as client:
        await asyncio.gather(*(client.infer("m", X, timeout_s=30) for _ in range(3)))
    first, second, third = told
    assert second < first - 90 and third < second - 90


async def test_a_call_without_a_connection_ends_with_its_deadline() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async with AsyncClient("http://m", transport=httpx.MockTransport(never), limits=ONE_CONNECTION) as client:
        calls = (client.infer("m", X, timeout_s=0.05) for _ in range(3))
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in ended] == [UnreachableError] * 3


@pytest.mark.parametrize("timeout_s", [0, -1, math.nan])
def test_a_timeout_is_above_zero(played: Played, timeout_s: float) -> None:
    played.answers = [(200, {}, ANSWER)]
    with Client(played.url) as client, pytest.raises(ValueError, match="above 0"):
        client.infer("m", X, timeout_s=timeout_s)


def test_a_timeout_may_be_endless(played: Played) -> None:
    played.answers = [(200, {}, ANSWER)]
    with Client(played.url) as client:
        assert client.infer("m", X, timeout_s=math.inf).id == "i"


def output(**fields: Any) -> dict[str, Any]:
    entry = {"name": "x", "datatype": "INT32", "shape": [1], "data": [1], **fields}
    return {**ANSWER, "outputs": [entry]}


FORMS: list[Any] = [
    {**ANSWER, "outputs": [[1]]},
    {**ANSWER, "parameters": []},
    output(parameters=None),
    output(data=[10**30]),
    output(shape=[10**30]),
    b"[" * 100_000,
    b'{"outputs":[{"name":"x","datatype":"INT32","shape":[1],"data":[1e400]}]}',
]


@pytest.mark.parametrize("answer", FORMS, ids=range(len(FORMS)))
def test_an_answer_of_another_form_is_an_error_of_the_client(played: Played, answer: Any) -> None:
    played.answers = [(200, {}, answer)]
    with Client(played.url) as client, pytest.raises(EquipoiseError, match="not as expected"):
        client.infer("m", X)


def test_an_unknown_output_is_an_error_that_names_the_outputs(played: Played) -> None:
    played.answers = [(200, {}, output()), (200, {}, {"outputs": {"a": 1, "b": 2}, "id": "i", "latencyMs": 1})]
    with Client(played.url) as client:
        inferred, ran = client.infer("m", X), client.run("m", b"")
    assert (inferred["x"].tolist(), ran["a"]) == ([1], 1)
    with pytest.raises(KeyError, match="no output 'y'; the outputs are x"):
        _ = inferred["y"]
    with pytest.raises(KeyError, match="no output 'c'; the outputs are a, b"):
        _ = ran["c"]


def test_an_address_without_a_scheme_is_one_of_http(played: Played) -> None:
    played.answers = [(200, {}, ANSWER)]
    with Client(played.url.removeprefix("http://")) as client:
        assert client.infer("m", X).id == "i"


@pytest.mark.parametrize("base_url", ["", "http://", "ftp://m", "http://m:port"])
async def test_what_is_no_address_is_an_error_at_once(base_url: str) -> None:
    for new_client in (Client, AsyncClient):
        with pytest.raises(ValueError, match="base_url must be an address"):
            new_client(base_url)


REFUSALS: list[tuple[dict[str, str], Any, float | None]] = [
    ({"retry-after": "\xb2"}, {}, None),
    ({"retry-after": "soon"}, {}, None),
    ({"retry-after": "9" * 400}, {}, 1e9),
    ({}, {"details": {"retryAfterMs": 10**400}}, 1e9),
    ({"retry-after": "7"}, b'{"details":{"retryAfterMs":NaN}}', 7),
    ({"retry-after": "7"}, b"[" * 100_000, 7),
    ({"retry-after": "7"}, {"error": 5, "code": None, "reason": [1]}, 7),
]


@pytest.mark.parametrize(("headers", "body", "wait_s"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_is_read_whatever_it_says(
    played: Played, headers: dict[str, str], body: Any, wait_s: float | None
) -> None:
    played.answers = [(503, headers, body)]
    with Client(played.url, retries=ONCE) as client, pytest.raises(RefusedError) as error:
        client.infer("m", X)
    assert (error.value.retry_after_s, error.value.code, error.value.reason) == (wait_s, "", None)


def test_a_wait_may_be_a_date(played: Played) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    played.answers = [(503, {"retry-after": at}, {})]
    with Client(played.url, retries=ONCE) as client, pytest.raises(RefusedError) as error:
        client.infer("m", X)
    assert error.value.retry_after_s is not None and 3000 < error.value.retry_after_s <= 3600


class SlowHead:
    """A server that sends the head of its answer byte by byte, for at most 20 s."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 400:
                if self._ended.wait(0.05):
                    return
                connection.sendall(bytes([byte]))

    def close(self) -> None:
        self._ended.set()
        self._listener.close()


def test_a_head_that_trickles_does_not_outlast_the_deadline() -> None:
    server = SlowHead()
    try:
        with Client(server.url) as client, pytest.raises(UnreachableError, match="in time"):
            client.infer("m", X, timeout_s=0.1)
    finally:
        server.close()


@pytest.mark.parametrize(("timeout_s", "longest_s"), [(None, 3601), (7, 8)])
async def test_without_a_timeout_the_server_sets_the_deadline(timeout_s: float | None, longest_s: float) -> None:
    waits: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200, json=ANSWER)

    with Client("http://m", transport=httpx.MockTransport(answer)) as client:
        client.infer("m", X, timeout_s=timeout_s)
    async with AsyncClient("http://m", transport=httpx.MockTransport(answer)) as async_client:
        await async_client.infer("m", X, timeout_s=timeout_s)
    for wait in waits:
        assert longest_s - 2 < wait["read"] <= longest_s and wait["connect"] <= 10


async def test_headers_and_token_are_both_sent() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json=ANSWER)

    options: dict[str, Any] = {"transport": httpx.MockTransport(answer), "headers": {"x-team": "a"}, "token": "secret"}
    with Client("http://m", **options) as client:
        client.infer("m", X)
    async with AsyncClient("http://m", **options) as async_client:
        await async_client.infer("m", X)
    assert [(headers["x-team"], headers["authorization"]) for headers in seen] == [("a", "Bearer secret")] * 2


def test_limits_of_connections() -> None:
    assert most_connections({}) == 100
    assert most_connections({"limits": httpx.Limits(max_connections=3)}) == 3
    assert most_connections({"limits": httpx.Limits()}) > 10**6


def test_an_empty_list_is_text() -> None:
    body, _ = infer_body({"text": [], "numbers": np.zeros(0)}, outputs=None, request_id=None, parameters={})
    inputs = json.loads(body)["inputs"]
    assert [(each["datatype"], each["shape"]) for each in inputs] == [("BYTES", [0]), ("FP64", [0])]
