"""Streams of events: line ends, parts of any size, and data of another form."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from equipoise_client import AdminClient, AsyncAdminClient, AsyncClient, Client, EquipoiseError, UnreachableError
from equipoise_client.events import EventLines

# Line ends of Unicode, which JSON writes inside its strings, and which end no line of a stream.
TEXT = "one\u2028two\u2029three\u0085four\x0b\x0c\x1c"


def event(number: int, data: str, end: str = "\n") -> str:
    return end.join([f"id: {number}", "event: answer", f"data: {data}", "", ""])


def body(end: str = "\n") -> bytes:
    data = json.dumps({"text": TEXT, "more": "grüße"}, ensure_ascii=False)
    comment = f": beat{end}{end}"
    return (event(1, data, end) + comment + event(2, '{"n": 2}', end)).encode()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["lf", "cr", "crlf"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_only_carriage_returns_and_line_feeds_end_lines(end: str, size: int) -> None:
    raw = body(end)
    lines = EventLines()
    found: list[tuple[str, int | None, dict[str, Any]]] = []
    for at in range(0, len(raw), size):
        found.extend((lines.kind, lines.last_id, each) for each in lines.events(raw[at : at + size]))
    assert found == [("answer", 1, {"text": TEXT, "more": "grüße"}), ("answer", 2, {"n": 2})]


@pytest.mark.parametrize("data", ["not json", "[1]", "[" * 100_000], ids=["text", "list", "deep"])
def test_an_event_of_another_form_is_an_error_and_is_asked_for_again(data: str) -> None:
    lines = EventLines()
    assert list(lines.events(event(7, "{}").encode())) == [{}]
    with pytest.raises(EquipoiseError, match="an event of the stream"):
        list(lines.events(event(8, data).encode()))
    assert lines.last_id == 7
    assert lines.request(None)["headers"] == {"last-event-id": "7"}


def test_a_kind_belongs_to_one_event() -> None:
    lines = EventLines()
    assert list(lines.events(b'event: failure\ndata: {"a": 1}\n\ndata: {}\n\n')) == [{"a": 1}, {}]
    assert lines.kind == ""


def test_a_stream_without_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise_client.events.MOST_EVENT_CHARACTERS", 1000)
    lines = EventLines()
    with pytest.raises(EquipoiseError, match="more than 1000 characters"):
        for _ in range(100):
            list(lines.events(b"data: " + b"x" * 20 + b"\n"))


def streaming(raw: bytes) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, content=raw))


async def test_clients_read_text_with_any_characters() -> None:
    expected: list[dict[str, Any]] = [{"text": TEXT, "more": "grüße"}, {"n": 2}]
    with Client("http://m", transport=streaming(body())) as client:
        assert list(client.answers("m")) == [{"event": "answer", **each} for each in expected]
    with AdminClient("http://m", transport=streaming(body())) as admin:
        assert list(admin.events()) == [{"eventId": i + 1, **each} for i, each in enumerate(expected)]
    async with AsyncClient("http://m", transport=streaming(body())) as listener:
        assert [each async for each in listener.answers("m")] == [{"event": "answer", **each} for each in expected]
    async with AsyncAdminClient("http://m", transport=streaming(body())) as operator:
        assert [each["eventId"] async for each in operator.events()] == [1, 2]


async def test_a_silent_server_is_left_after_three_beats() -> None:
    waits: list[Any] = []

    def silent(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("silent")

    with AdminClient("http://m", transport=httpx.MockTransport(silent)) as admin, pytest.raises(UnreachableError):
        list(admin.events())
    async with AsyncClient("http://m", transport=httpx.MockTransport(silent)) as client:
        with pytest.raises(UnreachableError):
            async for _ in client.answers("m"):
                pass
    assert waits == [45, 45]
