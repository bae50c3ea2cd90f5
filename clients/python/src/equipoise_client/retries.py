"""When a call is sent again, and how long it may take."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import httpx

from .errors import EquipoiseError, RefusedError

LEAST_WAIT_S = 0.01
# Longer timeouts do not fit into those of the operating system.
LONGEST_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Retries:
    """A refused call is sent again after the time that the server states, if this leaves time until the deadline.

    `most`: further attempts after the first. A call whose connection could not be opened is sent again, too, after
    `connect_wait_s`, doubled each time. A call that may have reached the server is never sent twice.
    """

    most: int = 3
    connect_wait_s: float = 0.1
    jitter_fraction: float = 0.1
    chance: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def wait_s(self, error: EquipoiseError, attempt: int) -> float | None:
        """Time to wait before attempt `attempt` + 1 (the first is 0); None to give up."""
        if attempt >= self.most:
            return None
        if isinstance(error, RefusedError):
            if not error.is_retryable:
                return None
            wait_s = max(error.retry_after_s or 0, LEAST_WAIT_S)
        elif isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
            wait_s = float(self.connect_wait_s * 2**attempt)
        else:
            return None
        # Clients that were refused together must not return together.
        return wait_s * (1 + self.jitter_fraction * self.chance.random())


NO_RETRIES = Retries(most=0)


class Deadline:
    """Time that is left for a call with all its attempts."""

    def __init__(self, timeout_s: float) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, not {timeout_s}")
        self._ends_at_s = time.monotonic() + min(float(timeout_s), LONGEST_TIMEOUT_S)

    def left_s(self) -> float:
        return self._ends_at_s - time.monotonic()
