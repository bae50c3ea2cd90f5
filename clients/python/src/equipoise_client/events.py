"""Server-sent events (HTML Living Standard, 9.2)."""

from __future__ import annotations

import json
from typing import Any, cast

import httpx


class EventLines:
    """Reads server-sent events line by line, and remembers kind and id of the last one."""

    def __init__(self, after: int | None = None) -> None:
        self.last_id = after
        self.kind = ""
        self._data: list[str] = []
        self._id: int | None = None

    def take(self, line: str) -> dict[str, Any] | None:
        """The event that this line ends, if any."""
        if line == "":
            data, self._data = self._data, []
            if self._id is not None:
                self.last_id, self._id = self._id, None
            return cast(dict[str, Any], json.loads("\n".join(data))) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self.kind = value
        elif name == "id" and value.isdigit():
            self._id = int(value)
        return None

    def request(self, pipeline: str | None) -> dict[str, Any]:
        headers = {"last-event-id": str(self.last_id)} if self.last_id is not None else {}
        params = {"pipeline": pipeline} if pipeline is not None else None
        return {"headers": headers, "params": params, "timeout": httpx.Timeout(10, read=None)}
