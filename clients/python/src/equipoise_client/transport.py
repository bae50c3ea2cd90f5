"""A call, independent of how it is sent, and its two senders: blocking and asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from .errors import EquipoiseError, RefusedError, UnreachableError, refusal_of
from .events import EventLines
from .retries import NO_RETRIES, Deadline, Retries

Answer = TypeVar("Answer")
DEFAULT_TIMEOUT_S = 30.0
# A server answers a request that it drops shortly before the deadline of the request.
ANSWER_GRACE_S = 1.0


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
            "timeout": left_s + ANSWER_GRACE_S,
        }

    def answer(self, response: httpx.Response) -> Answer:
        if response.status_code not in self.accepted:
            raise refusal_of(response)
        try:
            return self.read(response)
        except (ValueError, KeyError, TypeError) as problem:
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


def http_options(base_url: str, token: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return {"base_url": base_url, "headers": headers, **options}


class Sender:
    """Sends calls and waits for their answers. `options` go to `httpx.Client`, such as `verify` and `limits`."""

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries = NO_RETRIES, **options: Any
    ) -> None:
        self._http = httpx.Client(**http_options(base_url, token, options))
        self._retries = retries

    def send(self, call: Call[Answer], timeout_s: float) -> Answer:
        deadline = Deadline(timeout_s)
        attempt = 0
        while True:
            try:
                return self._once(call, deadline)
            except (RefusedError, UnreachableError) as error:
                time.sleep(wait_before_retry(error, attempt, self._retries, deadline))
                attempt += 1

    def _once(self, call: Call[Answer], deadline: Deadline) -> Answer:
        try:
            response = self._http.request(**call.request(max(deadline.left_s(), 0.001)))
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem
        return call.answer(response)

    def answers(self, path: str) -> Iterator[dict[str, Any]]:
        """Server-sent events with their kind as `event`."""
        lines = EventLines()
        call = Call("GET", path, lambda _: None)
        try:
            with self._http.stream("GET", path, **lines.request(None)) as response:
                if response.status_code != 200:
                    response.read()
                    raise refusal_of(response)
                for line in response.iter_lines():
                    event = lines.take(line)
                    if event is not None:
                        yield {"event": lines.kind, **event}
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem

    def close(self) -> None:
        self._http.close()


class AsyncSender:
    """Like `Sender`, with asyncio."""

    def __init__(
        self, base_url: str, *, token: str | None = None, retries: Retries = NO_RETRIES, **options: Any
    ) -> None:
        self._http = httpx.AsyncClient(**http_options(base_url, token, options))
        self._retries = retries

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
            response = await self._http.request(**call.request(max(deadline.left_s(), 0.001)))
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem
        return call.answer(response)

    async def answers(self, path: str) -> AsyncIterator[dict[str, Any]]:
        lines = EventLines()
        call = Call("GET", path, lambda _: None)
        try:
            async with self._http.stream("GET", path, **lines.request(None)) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise refusal_of(response)
                async for line in response.aiter_lines():
                    event = lines.take(line)
                    if event is not None:
                        yield {"event": lines.kind, **event}
        except httpx.HTTPError as problem:
            raise unreachable(call, problem) from problem

    async def close(self) -> None:
        await self._http.aclose()
