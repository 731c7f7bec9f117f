"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 30.0


def eventually(
    probe: Callable[[], T | None],
    what: str,
    patience_seconds: float = PATIENCE_SECONDS,
    between: Callable[[], object] | None = None,
) -> T:
    """Asks until the answer is true, and gives it back.

    `between` is done after each answer that is not: moving a manual clock, say. Fails with `what` was waited for and
    the last answer.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_seconds:g} s for {what}; last answer: {answer!r}")
        if between is not None:
            between()
        time.sleep(POLL_SECONDS)
