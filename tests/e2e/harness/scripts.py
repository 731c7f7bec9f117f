"""Job scripts: written to a folder, coordinated through files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .waiting import eventually

# A script that nobody lets go ends by itself, so that a failed test leaves nothing behind.
_GATED = """
import os, sys, time
open({started!r}, "a").close()
deadline = time.monotonic() + 90
while not os.path.exists({opened!r}):
    if time.monotonic() > deadline:
        sys.exit(99)
    time.sleep(0.02)
sys.exit(int(open({opened!r}).read()))
"""

_RECORDING = """
import json, os, sys
with open({path!r}, "a") as file:
    file.write(json.dumps(dict(argv=sys.argv, environment=dict(os.environ), folder=os.getcwd())) + "\\n")
"""


class Gate:
    """Holds scripts until a test lets them go, and says with which exit code."""

    def __init__(self, folder: Path, name: str) -> None:
        self._opened = folder / f"{name}.opened"
        self._started = folder / f"{name}.started"

    @property
    def script(self) -> str:
        """The script that waits at the gate."""
        return _GATED.format(started=str(self._started), opened=str(self._opened))

    @property
    def is_reached(self) -> bool:
        """Whether a script waits at the gate, or has passed it."""
        return self._started.exists()

    def reached(self) -> None:
        """Waits until a script is at the gate."""
        eventually(lambda: self.is_reached, f"a script to reach {self._started.stem}")

    def open(self, exit_code: int = 0) -> None:
        """Lets all scripts go, those that come later too."""
        unfinished = self._opened.with_suffix(".part")
        unfinished.write_text(str(exit_code), encoding="utf-8")
        unfinished.replace(self._opened)


class Record:
    """Keeps what runs of a script saw: their command lines, environments and folders."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.jsonl"

    @property
    def script(self) -> str:
        """The script that writes down what it sees."""
        return _RECORDING.format(path=str(self._path))

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What was written down, a run an entry."""
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]


def exits(code: int) -> str:
    """Gives a script that ends with an exit code."""
    return f"import sys\nsys.exit({code})\n"


def fails_once(marker: Path) -> str:
    """Gives a script whose first run fails and whose later runs succeed."""
    return f"""
import os, sys
if not os.path.exists({str(marker)!r}):
    open({str(marker)!r}, "w").close()
    sys.exit(1)
"""


def options(argv: list[str]) -> dict[str, str]:
    """Reads `--name value` pairs; a name that the next name follows has no value."""
    found: dict[str, str] = {}
    rest = argv[1:]
    for position, word in enumerate(rest):
        if not word.startswith("--"):
            continue
        following = rest[position + 1] if position + 1 < len(rest) else "--"
        found[word] = "" if following.startswith("--") else following
    return found
