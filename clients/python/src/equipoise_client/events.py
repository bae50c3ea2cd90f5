"""Server-sent events (HTML Living Standard, 9.2)."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

from .errors import EquipoiseError

# Only these end a line. Python's `splitlines` knows more, which JSON has inside its strings.
LINE_END = re.compile(r"\r\n|\r|\n")
MOST_EVENT_CHARACTERS = 256 * 1024**2
# A server sends a comment at least every 15 s.
LONGEST_SILENCE_S = 45.0


class EventLines:
    """Reads server-sent events from the parts of a stream, and remembers kind and id of the last one."""

    def __init__(self, after: int | None = None) -> None:
        self.last_id = after
        self.kind = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._ends_with_cr = False
        self._data: list[str] = []
        self._characters = 0
        self._next_kind = ""
        self._next_id: int | None = None

    def events(self, part: bytes) -> Iterator[dict[str, Any]]:
        """The events that this part ends. Raises EquipoiseError for data of another form."""
        text = self._decoder.decode(part)
        if not text:
            return
        if self._ends_with_cr and text.startswith("\n"):
            text = text[1:]
            self._ends_with_cr = False
        if text:
            self._ends_with_cr = text.endswith("\r")
        *lines, self._rest = LINE_END.split(self._rest + text)
        for line in lines:
            yield from self._take(line)
        if len(self._rest) + self._characters > MOST_EVENT_CHARACTERS:
            raise EquipoiseError(f"an event of the stream has more than {MOST_EVENT_CHARACTERS} characters")

    def _take(self, line: str) -> Iterator[dict[str, Any]]:
        if line == "":
            yield from self._end()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._characters += len(value)
        elif name == "event":
            self._next_kind = value
        elif name == "id" and value.isascii() and value.isdigit():
            self._next_id = int(value)

    def _end(self) -> Iterator[dict[str, Any]]:
        """The id counts once its event is read, so that a reader can ask for the event again."""
        data, self._data = self._data, []
        self._characters = 0
        kind, self._next_kind = self._next_kind, ""
        event_id, self._next_id = self._next_id, None
        event = _event("\n".join(data)) if data else None
        if event_id is not None:
            self.last_id = event_id
        if event is not None:
            self.kind = kind
            yield event

    def request(self, pipeline: str | None) -> dict[str, Any]:
        headers = {"last-event-id": str(self.last_id)} if self.last_id is not None else {}
        params = {"pipeline": pipeline} if pipeline is not None else None
        return {"headers": headers, "params": params, "timeout": httpx.Timeout(10, read=LONGEST_SILENCE_S)}


def _event(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise EquipoiseError(f"an event of the stream is not JSON: {problem}") from problem
    if not isinstance(event, dict):
        raise EquipoiseError(f"an event of the stream is no object, but {type(event).__name__}")
    return event
