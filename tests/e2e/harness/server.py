"""The real binary: one process or five, on free ports of loopback and a data directory of their own."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from . import wire
from .binary import REPOSITORY, binary, clean_environment
from .certificates import Installation
from .waiting import eventually

__all__ = ["ALL_IN_ONE", "OPERATOR", "REPOSITORY", "SPLIT", "Server", "binary", "clean_environment", "free_port"]

ALL_IN_ONE = "all-in-one"
SPLIT = "split"

# The account of calls that concern no account, such as those of the clock.
OPERATOR = "000000000000"

STOP_SECONDS = 30.0


def free_port() -> int:
    """Gives a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """Treenail in one of its shapes.

    The ports stay the same over a restart, as a client of a restarted server expects.
    """

    def __init__(
        self,
        shape: str,
        data_dir: Path,
        manual_clock: bool = False,
        environment: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        trust: Installation | None = None,
    ) -> None:
        # With it, everything is encrypted, services prove themselves to each other, and workers say a token.
        self.trust = trust
        self.environment = environment or {}
        self.prefix = prefix
        self.shape = shape
        self.data_dir = data_dir
        self.manual_clock = manual_clock
        # Further arguments, by process.
        self.arguments: dict[str, list[str]] = {}
        # Descriptors that the processes inherit.
        self.pass_files: tuple[int, ...] = ()
        # The names of workers beside the one that the split shape has anyway.
        self.more_workers: list[str] = []
        self._http, self._grpc = free_port(), free_port()
        self._inner = {name: free_port() for name in ("control-plane", "run-scheduler", "properties-store")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        data_dir.mkdir(parents=True, exist_ok=True)

    def names(self) -> tuple[str, ...]:
        """Names the processes."""
        return tuple(self._commands())

    @property
    def endpoint(self) -> str:
        """Where AWS's clients go."""
        return f"{self._scheme}://127.0.0.1:{self._http}"

    @property
    def grpc_target(self) -> str:
        """Where gRPC clients go."""
        return f"127.0.0.1:{self._grpc}"

    @property
    def pids(self) -> dict[str, int]:
        """The processes, by service."""
        return {name: process.pid for name, process in self._processes.items()}

    def launch(self) -> None:
        """Starts all processes that do not run, and does not wait for them."""
        for name, arguments in self._commands().items():
            if name not in self._processes:
                self._processes[name] = self._spawn(name, arguments)

    def exit_code(self, name: str) -> int | None:
        """Tells how a process ended, if it has."""
        return self._processes[name].poll()

    def start(self) -> Server:
        """Starts all processes that do not run, and waits until the server is ready."""
        self.launch()
        eventually(self._is_ready, f"the {self.shape} server to be ready")
        return self

    def kill(self, *names: str) -> None:
        """Kills the named processes, or all, without a warning."""
        for name in names or tuple(self._processes):
            process = self._processes.pop(name)
            process.kill()
            process.wait()

    def terminate(self, name: str) -> None:
        """Asks a process to end, and waits until it has; fails when it did not end well."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        code = process.wait(STOP_SECONDS)
        assert code == 0, f"{name} ended with {code}: {self.log(name)}"

    def stop(self) -> None:
        """Asks all processes to end, as an init system does, and waits until they have; fails when one did not."""
        codes = {}
        services = ("worker", "gateway", "control-plane", "run-scheduler", "properties-store", "serve")
        for name in (*self.more_workers, *services):
            process = self._processes.pop(name, None)
            if process is not None:
                process.send_signal(signal.SIGTERM)
                codes[name] = process
        for name, process in codes.items():
            try:
                code = process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(
                    f"{name} did not end within {STOP_SECONDS:g} s of SIGTERM: {self.log(name)}"
                ) from None
            assert code == 0, f"{name} ended with {code}: {self.log(name)}"

    def log(self, name: str) -> str:
        """Gives the end of what a process has written."""
        return "\n" + self._log_path(name).read_text(encoding="utf-8", errors="replace")[-6000:]

    def logs(self) -> str:
        """Gives the ends of what all processes have written."""
        return "".join(f"\n--- {path.stem} ---{self.log(path.stem)}" for path in sorted(self.data_dir.glob("*.log")))

    def advance_clock(self, milliseconds: int) -> None:
        """Moves a manual clock; what falls due on the way has happened when this is back."""
        answer = wire.call(self.endpoint, "Treenail.AdvanceClock", {"Milliseconds": milliseconds}, OPERATOR)
        assert answer.status == 200, answer

    def now(self) -> float:
        """Asks the server what time it is, in seconds since 1970."""
        answer = wire.call(self.endpoint, "Treenail.GetClock", {}, OPERATOR)
        assert answer.status == 200, answer
        return float(answer.json["Now"])

    def _commands(self) -> dict[str, list[str]]:
        clock = ["--clock", "manual"] if self.manual_clock else []
        front = ["--listen", f"127.0.0.1:{self._http}", "--grpc-listen", f"127.0.0.1:{self._grpc}"]
        if self.shape == ALL_IN_ONE:
            return {"serve": [*self._data("serve"), *front, *clock]}
        url = {name: f"--{name}={self._scheme}://127.0.0.1:{port}" for name, port in self._inner.items()}
        listen = {name: ["--listen", f"127.0.0.1:{port}"] for name, port in self._inner.items()}
        control, scheduler, properties = "control-plane", "run-scheduler", "properties-store"
        return {
            properties: [*self._data(properties), *listen[properties], *clock],
            scheduler: [*self._data(scheduler), *listen[scheduler], url[properties], *clock],
            control: [*self._data(control), *listen[control], url[scheduler], *clock],
            "gateway": [*self._data("gateway"), *front, url[control], url[scheduler], url[properties]],
            **{
                name: [*self._data(name), url[scheduler], "--endpoint-url", self.endpoint]
                for name in ("worker", *self.more_workers)
            },
        }

    @property
    def _scheme(self) -> str:
        return "https" if self.trust else "http"

    @property
    def scheduler_target(self) -> str:
        """Where the run-scheduler answers workers and other services, where it is a process of its own."""
        return f"127.0.0.1:{self._inner['run-scheduler']}"

    def _trust(self, name: str) -> list[str]:
        return self.trust.arguments(name) if self.trust else []

    def _data(self, name: str) -> list[str]:
        return ["--data-dir", str(self.data_dir / name)]

    def _spawn(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        service = "worker" if name in self.more_workers else name
        with self._log_path(name).open("ab") as log:
            return subprocess.Popen(
                [
                    *self.prefix,
                    str(binary()),
                    service,
                    *arguments,
                    *self._trust(service),
                    *self.arguments.get(name, []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                env=clean_environment() | self.environment,
                pass_fds=self.pass_files,
            )

    def _log_path(self, name: str) -> Path:
        return self.data_dir / f"{name}.log"

    def _is_ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}: {self.log(name)}"
        try:
            authority = self.trust.authority if self.trust else None
            return wire.request(self.endpoint, "GET", "/readyz", authority=authority).status == 200
        except OSError:
            return False
