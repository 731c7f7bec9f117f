"""Docker Engine and compose for one test: the engine is started with its files in a folder, and ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from harness.waiting import eventually

# The client of Debian's package: it speaks to the builder of its own engine.
DOCKER = "/usr/bin/docker"


class Engine:
    """An engine on a socket of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        self._compose = cache / "compose" / "docker-compose"
        self._socket = f"unix://{folder}/socket"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Engine:
        """Starts the engine and waits for it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        line = ["dockerd", "--data-root", f"{self._folder}/data", "--exec-root", f"{self._folder}/exec"]
        line += ["--pidfile", f"{self._folder}/pid", "--host", self._socket]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)
        eventually(self._is_up, "the engine to be up")
        return self

    def stop(self) -> None:
        """Ends the engine and removes its files."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    def docker(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """Runs the client; gives what it prints."""
        return self._run([DOCKER, *arguments], environment or {})

    def compose(self, *arguments: str, environment: dict[str, str]) -> str:
        """Runs compose; gives what it prints."""
        return self._run([str(self._compose), *arguments], environment)

    def inspect(self, container: str) -> dict[str, Any]:
        """Tells all about a container."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", container))
        return found[0]

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")[-3000:]
        line = [DOCKER, "--host", self._socket, "info"]
        return subprocess.run(line, capture_output=True, check=False).returncode == 0

    def _run(self, line: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            line,
            env=os.environ | {"DOCKER_HOST": self._socket, "DOCKER_BUILDKIT": "1"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout
