"""A call, independent of how it is sent, and its two senders: blocking and asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from .errors import EquipoiseError, RefusedError, UnreachableError, refusal_of
from .events import EventLines
from .retries import LONGEST_TIMEOUT_S, NO_RETRIES, Deadline, Retries

Answer = TypeVar("Answer")
DEFAULT_TIMEOUT_S = 30.0
# Of a call whose deadline the server sets: the SLO of a pipeline may be long.
SLO_TIMEOUT_S = LONGEST_TIMEOUT_S
CONNECT_TIMEOUT_S = 10.0
# A server answers a request that it drops shortly before the deadline of the request.
ANSWER_GRACE_S = 1.0
# The number of httpx. A call waits here for its connection, so that it tells the server the time that is then left.
MOST_CONNECTIONS = 100
LEAST_LEFT_S = 0.001
# Errors of code that reads an answer of another form.
UNEXPECTED_FORM = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """`content` gets the time that is left, in seconds, because a body may state the deadline."""

    method: str
    path: str
    read: Callable[[httpx.Response], Answer]
    content: Callable[[float], tuple[bytes | None, Mapping[str, str]]] = lambda _: (None, {})
    query: Callable[[float], Mapping[str, Any]] = field(default=lambda _: {})
    # Statuses that `read` understands.
    accepted: tuple[int, ...] = (200,)

    def request(self, left_s: float) -> dict[str, Any]:
        body, headers = self.content(left_s)
        return {
            "method": self.method,
            "url": self.path,
            "content": body,
            "headers": dict(headers),
            "params": dict(self.query(left_s)) or None,
            "timeout": httpx.Timeout(left_s + ANSWER_GRACE_S, connect=min(left_s + ANSWER_GRACE_S, CONNECT_TIMEOUT_S)),
        }

    def answer(self, response: httpx.Response) -> Answer:
        if response.status_code not in self.accepted:
            raise refusal_of(response)
        try:
            return self.read(response)
        except UNEXPECTED_FORM as problem:
            raise EquipoiseError(f"the answer of {self.method} {self.path} is not as expected: {problem}") from problem


def unreachable(call: Call[Any], problem: Exception) -> UnreachableError:
    error = UnreachableError(f"{call.method} {call.path}: {problem or type(problem).__name__}")
    error.__cause__ = problem
    return error


def wait_before_retry(error: EquipoiseError, attempt: int, retries: Retries, deadline: Deadline) -> float:
    """Raises the error if the call is not to be sent again."""
    wait_s = retries.wait_s(error, attempt)
    if wait_s is None or wait_s >= deadline.left_s():
        raise error
    return wait_s


def address_of(base_url: str) -> str:
    """Address with its scheme, which is http by default. Raises ValueError if it is no address of a server."""
    address = base_url if "://" in base_url else f"http://{base_url}"
    with contextlib.suppress(httpx.InvalidURL):
        url = httpx.URL(address)
        if url.scheme in ("http", "https") and url.host:
            return address
    raise ValueError(f"base_url must be an address such as http://127.0.0.1:8080, not {base_url!r}")


def http_options(base_url: str, token: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    headers = httpx.Headers(options.get("headers"))
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return {**options, "base_url": address_of(base_url), "headers": headers}


def read_response(head: httpx.Response, content: bytes) -> httpx.Response:
    """The response with its content, which is decoded already."""
    headers = [(name, value) for name, value in head.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(head.status_code, headers=headers, content=content, extensions=head.extensions)


def most_connections(options: Mapping[str, Any]) -> int:
    limits = options.get("limits")
    if not isinstance(limits, httpx.Limits):
        return MOST_CONNECTIONS
    # httpx: None is no limit.
    return sys.maxsize if limits.max_connections is None else limits.max_connections


def too_late(call: Call[Any]) -> UnreachableError:
    return UnreachableError(f"{call.method} {call.path}: no answer in time")


class Sender:
    """Sends calls and waits for their answers. `options` go to `httpx.Client`, such as `verify` and `limits`."""

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries = NO_RETRIES, **options: Any
    ) -> None:
        self._options = http_options(base_url, token, options)
        self._retries = retries
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._http = httpx.Client(**self._options)
        self._streams: httpx.Client | None = None
        self._free = threading.BoundedSemaphore(most_connections(self._options))

    def _leave_parent(self) -> None:
        """After a fork, connections of the parent would carry its answers."""
        if os.getpid() != self._pid:
            self._begin()

    def send(self, call: Call[Answer], timeout_s: float) -> Answer:
        self._leave_parent()
        deadline = Deadline(timeout_s)
        attempt = 0
        while True:
            try:
                return self._once(call, deadline)
            except (RefusedError, UnreachableError) as error:
                time.sleep(wait_before_retry(error, attempt, self._retries, deadline))
                attempt += 1

    def _once(self, call: Call[Answer], deadline: Deadline) -> Answer:
        if not self._free.acquire(timeout=max(deadline.left_s(), LEAST_LEFT_S)):
            raise too_late(call)
        try:
            return call.answer(self._begun(call, deadline).result(max(deadline.left_s(), 0) + ANSWER_GRACE_S))
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem
        except TimeoutError as problem:
            raise too_late(call) from problem

    def _begun(self, call: Call[Any], deadline: Deadline) -> Future[httpx.Response]:
        """Sends in a thread of its own: the timeouts of httpx bound single reads, not the whole call."""
        answer: Future[httpx.Response] = Future()

        def run() -> None:
            try:
                response = self._response(call, deadline)
            except BaseException as problem:
                self._free.release()
                answer.set_exception(problem)
            else:
                self._free.release()
                answer.set_result(response)

        try:
            threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
        except RuntimeError:
            self._free.release()
            raise
        return answer

    def _response(self, call: Call[Any], deadline: Deadline) -> httpx.Response:
        """Reads the answer in parts: the timeouts of httpx count from the last part."""
        with self._http.stream(**call.request(max(deadline.left_s(), LEAST_LEFT_S))) as response:
            parts: list[bytes] = []
            for part in response.iter_bytes():
                parts.append(part)
                if deadline.left_s() < -ANSWER_GRACE_S:
                    raise too_late(call)
        return read_response(response, b"".join(parts))

    def events(self, path: str, lines: EventLines, pipeline: str | None = None) -> Iterator[dict[str, Any]]:
        """Server-sent events as they come; `lines` knows kind and id of the last one."""
        call = Call("GET", path, lambda _: None)
        self._leave_parent()
        # Streams last, so they take no connections of calls.
        self._streams = self._streams or httpx.Client(**self._options)
        try:
            with self._streams.stream("GET", path, **lines.request(pipeline)) as response:
                if response.status_code != 200:
                    response.read()
                    raise refusal_of(response)
                for part in response.iter_bytes():
                    yield from lines.events(part)
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem

    def answers(self, path: str) -> Iterator[dict[str, Any]]:
        """Server-sent events with their kind as `event`."""
        lines = EventLines()
        for event in self.events(path, lines):
            yield {"event": lines.kind, **event}

    def close(self) -> None:
        self._http.close()
        if self._streams is not None:
            self._streams.close()


class AsyncSender:
    """Like `Sender`, with asyncio."""

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries = NO_RETRIES, **options: Any
    ) -> None:
        self._options = http_options(base_url, token, options)
        self._http = httpx.AsyncClient(**self._options)
        self._streams: httpx.AsyncClient | None = None
        self._retries = retries
        self._free = asyncio.Semaphore(most_connections(options))

    async def send(self, call: Call[Answer], timeout_s: float) -> Answer:
        deadline = Deadline(timeout_s)
        attempt = 0
        while True:
            try:
                return await self._once(call, deadline)
            except (RefusedError, UnreachableError) as error:
                await asyncio.sleep(wait_before_retry(error, attempt, self._retries, deadline))
                attempt += 1

    async def _once(self, call: Call[Answer], deadline: Deadline) -> Answer:
        try:
            async with asyncio.timeout(max(deadline.left_s(), LEAST_LEFT_S) + ANSWER_GRACE_S), self._free:
                if deadline.left_s() <= 0:
                    raise too_late(call)
                response = await self._http.request(**call.request(deadline.left_s()))
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem
        except TimeoutError as problem:
            raise too_late(call) from problem
        return call.answer(response)

    async def events(self, path: str, lines: EventLines, pipeline: str | None = None) -> AsyncIterator[dict[str, Any]]:
        call = Call("GET", path, lambda _: None)
        self._streams = self._streams or httpx.AsyncClient(**self._options)
        try:
            async with self._streams.stream("GET", path, **lines.request(pipeline)) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise refusal_of(response)
                async for part in response.aiter_bytes():
                    for event in lines.events(part):
                        yield event
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem

    async def answers(self, path: str) -> AsyncIterator[dict[str, Any]]:
        lines = EventLines()
        async for event in self.events(path, lines):
            yield {"event": lines.kind, **event}

    async def close(self) -> None:
        await self._http.aclose()
        if self._streams is not None:
            await self._streams.aclose()
