from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import numpy as np
import pytest
from conftest import Served

from equipoise_client import AsyncClient, Client, RefusedError

REFUSE = 1

ARRAYS: dict[str, Any] = {
    "bool": np.array([[True, False], [False, True]]),
    "uint8": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "uint16": np.array([0, 65535], dtype=np.uint16),
    "uint32": np.array([2**32 - 1], dtype=np.uint32),
    "uint64": np.array([2**64 - 1], dtype=np.uint64),
    "int8": np.array([-128, 127], dtype=np.int8),
    "int16": np.array([[-(2**15)]], dtype=np.int16),
    "int32": np.array([-(2**31)], dtype=np.int32),
    "int64": np.array([-(2**63), 2**63 - 1], dtype=np.int64),
    "fp16": np.array([1.5, -0.0], dtype=np.float16),
    "fp32": np.array([np.nan, np.inf, 1e-40], dtype=np.float32),
    "fp64": np.array([[np.pi]], dtype=np.float64),
    "big_endian": np.array([1, 2], dtype=">i4"),
    "strided": np.arange(10, dtype=np.int32)[::3],
    "empty": np.zeros((0, 3), dtype=np.float32),
    "scalar": np.float32(7),
}


def test_every_data_type_comes_back(served: Served) -> None:
    with Client(served.url) as client:
        result = client.infer("echo", ARRAYS, request_id="all")
    assert (result.id, result.model_name, result.missing) == ("all", "echo", ())
    assert set(result.outputs) == set(ARRAYS)
    for name, array in ARRAYS.items():
        got = result[name]
        assert got.dtype == np.asarray(array).dtype.newbyteorder("="), name
        np.testing.assert_array_equal(got, array)
        got.setflags(write=True)


def test_text_and_bytes(served: Served) -> None:
    texts = np.array([["grüße", ""], ["a", "漢"]], dtype=object)
    with Client(served.url) as client:
        result = client.infer("echo", {"t": texts, "list": ["x", "y"], "one": "z", "raw": [b"\xff\x00", b"ok"]})
    assert result["t"].tolist() == texts.tolist()
    assert result["list"].tolist() == ["x", "y"]
    assert result["one"].shape == () and result["one"].item() == "z"
    assert result["raw"].tolist() == [b"\xff\x00", b"ok"]


def test_a_type_without_counterpart_is_refused_before_sending() -> None:
    with Client("http://127.0.0.1:1") as client:
        with pytest.raises(TypeError, match="complex128"):
            client.infer("echo", {"x": np.array([1j])})
        with pytest.raises(TypeError, match="str or bytes"):
            client.infer("echo", {"x": np.array([object()], dtype=object)})
        mixed: Any
        for mixed in (["a", 1], [["a"], [None]], [["a"], [1.5]]):
            with pytest.raises(TypeError, match="str or bytes"):
                client.infer("echo", {"x": mixed})
        with pytest.raises(TypeError, match="masked"):
            client.infer("echo", {"x": np.ma.masked_array([1.0, 2.0], mask=[False, True])})
        with pytest.raises(TypeError, match="list of names"):
            client.infer("echo", {"x": np.array([1])}, outputs="x")


def test_values_of_numpy_in_place_of_numbers(served: Served) -> None:
    with Client(served.url) as client:
        numbers: dict[str, Any] = {"priority": np.int64(1), "timeout_s": np.float32(20)}
        answer = client.infer("echo", {"x": np.ma.masked_array([1.5], mask=[False])}, **numbers)
        assert answer["x"].tolist() == [1.5]
        score: Any = np.float32(0.5)
        assert client.feedback("echo", answer.id, score=score)["score"] == 0.5


def test_texts_keep_zero_bytes(served: Served) -> None:
    texts: Any = [["a\0", "b"], ["", "\0"]]
    raw: Any = [[b"\xff\0"]]
    strings = getattr(np.dtypes, "StringDType", None)
    with Client(served.url) as client:
        result = client.infer("echo", {"t": texts, "raw": raw, "big": np.array(["a", "b"], dtype=">U3")})
        if strings is not None:
            long = ["a text that is too long to be stored inline", ""]
            assert client.infer("echo", {"x": np.array(long, dtype=strings())})["x"].tolist() == long
    assert result["t"].tolist() == texts
    assert result["raw"].tolist() == raw
    assert result["big"].tolist() == ["a", "b"]


def test_selected_outputs(served: Served) -> None:
    with Client(served.url) as client:
        assert list(client.infer("echo", {"a": np.array([1]), "b": np.array([2])}, outputs=["b"]).outputs) == ["b"]


def test_errors_name_code_and_id(served: Served) -> None:
    with Client(served.url) as client:
        with pytest.raises(RefusedError) as unknown:
            client.infer("none", {"x": np.array([1])})
        with pytest.raises(RefusedError) as refused:
            client.infer("echo", {"order": np.array([REFUSE])})
    assert (unknown.value.status, unknown.value.code) == (404, "NOT_FOUND")
    assert unknown.value.details["pipelines"] == ["echo"]
    assert (refused.value.status, refused.value.code) == (422, "INVALID_INPUT")
    assert "refused by order" in refused.value.message and refused.value.request_id


def test_run_and_feedback(served: Served) -> None:
    with Client(served.url) as client:
        answer = client.run("echo", b"\x01\x02", content_type="application/x-bytes", timeout_s=20)
        assert answer["input"] == [1, 2] and answer.latency_ms > 0
        feedback = client.feedback("echo", answer.id, score=0.5)
        assert (feedback["id"], feedback["score"]) == (answer.id, 0.5)
        with pytest.raises(ValueError, match="score or a label"):
            client.feedback("echo", answer.id)


def test_a_forked_process_gets_its_own_answers(served: Served) -> None:
    def are_own(client: Client, first: int) -> bool:
        return all(client.infer("echo", {"x": np.array(i)})["x"].item() == i for i in range(first, first + 30))

    with Client(served.url) as client:
        assert are_own(client, 0)
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if are_own(client, 1000) else 1)
            finally:
                os._exit(2)
        in_parent = are_own(client, 2000)
        assert (os.waitpid(pid, 0)[1], in_parent) == (0, True)


def test_questions(served: Served) -> None:
    with Client(served.url) as client:
        assert client.live() and client.ready() and client.ready("echo")
        assert client.server_metadata()["name"] == "equipoise"
        assert client.model_metadata("echo.echo")["versions"] == ["only"]
        assert client.model_config("echo")["max_batch_size"] == 0
        assert [model["name"] for model in client.statistics()["model_stats"]] == ["echo", "echo.echo"]
        assert client.repository_index(ready=True)[0]["state"] == "READY"
        assert client.openapi()["openapi"] == "3.1.0"


async def test_asyncio_runs_calls_side_by_side(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        results = await asyncio.gather(*(client.infer("echo", {"x": np.array([i])}) for i in range(20)))
        assert [result["x"].item() for result in results] == list(range(20))
        answer = await client.run("echo", "hello", content_type="text/plain")
        assert bytes(answer["input"]) == b"hello"
        await client.feedback("echo", answer.id, score=1)
        assert await client.live() and await client.ready("echo")
        assert (await client.server_metadata())["name"] == "equipoise"
        assert (await client.model_metadata("echo"))["name"] == "echo"
        assert (await client.model_config("echo"))["name"] == "echo"
        assert len((await client.statistics("echo.echo"))["model_stats"]) == 1
        assert len(await client.repository_index()) == 1
        assert (await client.openapi())["openapi"] == "3.1.0"


def test_answers_are_streamed_by_id(served: Served) -> None:
    heard: list[dict[str, Any]] = []
    with Client(served.url) as client, Client(served.url) as listener:
        listening = threading.Thread(target=lambda: heard.append(next(listener.answers("echo"))))
        listening.start()
        while listening.is_alive():
            client.infer("echo", {"x": np.array(1, dtype=np.float32)}, request_id="streamed")
        assert (heard[0]["event"], heard[0]["id"], heard[0]["outputs"]) == ("answer", "streamed", {"x": 1})
        with pytest.raises(RefusedError):
            next(client.answers("none"))


async def test_answers_are_streamed_with_asyncio(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        answers = client.answers("echo")
        first = asyncio.ensure_future(anext(answers))
        while not first.done():
            await client.infer("echo", {"x": np.array(1, dtype=np.float32)}, request_id="awaited")
        assert (await first)["id"] == "awaited"
