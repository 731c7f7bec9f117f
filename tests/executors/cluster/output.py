"""What a container writes, as a container runtime keeps it: lines of both outputs with the time of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import IO

LINE_BYTES_MAX = 16 * 1024
WAIT_SECONDS = 0.2


@dataclass(frozen=True)
class Entry:
    """A line, or a part of a long one."""

    nanoseconds: int
    begins_line: bool
    data: bytes


class Output:
    """The log of a container."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: list[Entry] = []
        self._is_complete = False

    def take(self, *pipes: IO[bytes]) -> None:
        """Reads pipes to their ends, a line at a time."""
        readers = [threading.Thread(target=self._read, args=(pipe,), daemon=True) for pipe in pipes]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        with self._changed:
            self._is_complete = True
            self._changed.notify_all()

    def read(self, is_followed: bool, with_times: bool, since: str) -> Iterator[bytes]:
        """Gives what was written; `is_followed`, until nothing more will be."""
        begin = nanoseconds_of(since) if since else 0
        position = 0
        while True:
            with self._changed:
                fresh = self._entries[position:]
                is_last = self._is_complete or not is_followed
                if not fresh and not is_last:
                    self._changed.wait(WAIT_SECONDS)
            position += len(fresh)
            for entry in fresh:
                if entry.nanoseconds >= begin:
                    has_time = with_times and entry.begins_line
                    yield (time_of(entry.nanoseconds) + b" " if has_time else b"") + entry.data
            # A client that is away is noticed when something is sent, and a stream that ends by itself must be able to.
            if not fresh and is_last:
                return
            if not fresh:
                yield b""

    def _read(self, pipe: IO[bytes]) -> None:
        begins_line = True
        while data := pipe.readline(LINE_BYTES_MAX):
            with self._changed:
                self._entries.append(Entry(time.time_ns(), begins_line, data))
                self._changed.notify_all()
            begins_line = data.endswith(b"\n")


def time_of(nanoseconds: int) -> bytes:
    """RFC 3339 with nanoseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09}Z".encode()


def nanoseconds_of(text: str) -> int:
    """The same, read."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 1_000_000_000
