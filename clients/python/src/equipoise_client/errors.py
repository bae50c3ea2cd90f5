"""Errors of the client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

MOST_MESSAGE_CHARACTERS = 500
MOST_WAIT_MS = 1e12


class EquipoiseError(Exception):
    """Base of all errors that this package raises for a call."""


class UnreachableError(EquipoiseError):
    """No answer: the connection failed, or the answer did not come in time."""


class RefusedError(EquipoiseError):
    """The server refused the request. `code` is one of docs/reference/errors.md."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code or status}: {message}")
        self.status = status
        self.message = message
        self.code = code
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    @property
    def is_retryable(self) -> bool:
        """True if the server said when to send the request again."""
        return self.status in (429, 503) and self.retry_after_s is not None


def refusal_of(response: httpx.Response) -> RefusedError:
    """The error of an answer. Also reads answers that are not of Equipoise, such as those of a proxy."""
    body: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(response.content)
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    message = fields.get("error")
    details = fields.get("details")
    return RefusedError(
        response.status_code,
        message if isinstance(message, str) else response.text[:MOST_MESSAGE_CHARACTERS] or response.reason_phrase,
        code=_text(fields.get("code")) or "",
        reason=_text(fields.get("reason")),
        details=details if isinstance(details, dict) else {},
        retry_after_s=_retry_after_s(response, details),
        request_id=response.headers.get("x-request-id"),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _retry_after_s(response: httpx.Response, details: Any) -> float | None:
    """The precise wait of the body, else the header in whole seconds."""
    wait_ms = details.get("retryAfterMs") if isinstance(details, dict) else None
    if isinstance(wait_ms, int | float) and not isinstance(wait_ms, bool) and wait_ms >= 0:
        return min(wait_ms, MOST_WAIT_MS) / 1000
    header = response.headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        return min(float(header), MOST_WAIT_MS / 1000)
    return _until_s(header)


def _until_s(date: str) -> float | None:
    """Time until an HTTP date, as proxies send it; None if it is no date."""
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, IndexError, OverflowError):
        return None
    # A date without a zone is in UTC.
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
