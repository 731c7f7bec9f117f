"""What jobs run in: for each executor how a worker is told of it, and how a test looks at it from outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import boto3

from harness.server import REPOSITORY
from harness.waiting import eventually

CACHE = REPOSITORY / "tests" / ".cache"
IMAGE = "treenail-job:test"
# What a job may have in these tests.
MEMORY_MIB_MAX = 200
PROCESSES_MAX = 30


class Processes:
    """`--executor process`."""

    name = "process"
    # Whether it tells that a job had too much memory.
    tells_of_memory = True

    def __init__(self) -> None:
        # Arguments of the worker, and variables of its environment.
        self.arguments: list[str] = []
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Nothing has to be there."""

    def stop(self) -> None:
        """And nothing is left."""

    def left(self) -> list[str]:
        """Names what is there beside processes."""
        return []

    def told(self) -> str:
        """Gives what the executor tells whoever may ask it."""
        return ""


class Containers:
    """`--executor container`."""

    tells_of_memory = True

    def __init__(self, name: str, command: str) -> None:
        self.name = name
        self._command = command
        # Short, because the paths of sockets below it may not be long.
        self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp"))
        self.arguments = ["--executor", "container", "--container-engine", command]
        self.environment: dict[str, str] = {"TREENAIL_IMAGES": f"pythonshell={IMAGE}"}

    def start(self) -> None:
        """Makes the image ready."""
        packages = Path(boto3.__file__).parents[1]
        subprocess.run([REPOSITORY / "tests" / "executors" / "setup.sh", CACHE, packages], check=True)
        self.start_engine()
        self.run("import", str(CACHE / "executors" / "image.tar"), IMAGE)

    def stop(self) -> None:
        """Removes all that the engine kept."""
        try:
            self.stop_engine()
        finally:
            shutil.rmtree(self._folder)

    def start_engine(self) -> None:
        """Starts the engine, where one is needed."""

    def stop_engine(self) -> None:
        """Ends it."""

    def left(self) -> list[str]:
        """Names the containers that are there."""
        return self.run("ps", "--all", "--quiet", "--no-trunc").split()

    def told(self) -> str:
        """Gives all that the engine tells of its containers."""
        return "".join(self.run("inspect", container) for container in self.left())

    def containers(self) -> list[dict[str, Any]]:
        """Gives what the engine tells, container by container."""
        return [json.loads(self.run("inspect", container))[0] for container in self.left()]

    def run(self, *arguments: str) -> str:
        """Runs the engine's command; gives what it prints."""
        line = [self._command, *arguments]
        done = subprocess.run(
            line, env=os.environ | self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
        return done.stdout


class Docker(Containers):
    """Docker, with an engine of its own."""

    def __init__(self) -> None:
        super().__init__("docker", "/usr/bin/docker")
        self.environment["DOCKER_HOST"] = f"unix://{self._folder}/socket"
        self._process: subprocess.Popen[bytes] | None = None

    def start_engine(self) -> None:
        """Starts the engine with its files in a folder."""
        line = ["dockerd", "--data-root", f"{self._folder}/data", "--exec-root", f"{self._folder}/exec"]
        line += ["--pidfile", f"{self._folder}/pid", "--host", self.environment["DOCKER_HOST"]]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)
        eventually(self._is_up, "the engine to be up")

    def stop_engine(self) -> None:
        """Ends the engine."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            # The engine leaves the network that containers share with this machine.
            subprocess.run(["umount", f"{self._folder}/exec/netns/default"], capture_output=True, check=False)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")[-3000:]
        line = [self._command, "info"]
        environment = os.environ | self.environment
        return subprocess.run(line, env=environment, capture_output=True, check=False).returncode == 0


class Podman(Containers):
    """Podman, with a storage of its own."""

    # Debian 12's does not where both versions of control groups are mounted, as on the machines that run these tests.
    tells_of_memory = Path("/sys/fs/cgroup/cgroup.controllers").exists()

    def __init__(self) -> None:
        super().__init__("podman", "podman")
        storage, settings = self._folder / "storage.conf", self._folder / "containers.conf"
        paths = f'runroot = "{self._folder}/run"\ngraphroot = "{self._folder}/data"\n'
        storage.write_text(f'[storage]\ndriver = "overlay"\n{paths}', encoding="utf-8")
        settings.write_text('[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n', encoding="utf-8")
        self.environment["CONTAINERS_STORAGE_CONF"] = str(storage)
        self.environment["CONTAINERS_CONF"] = str(settings)

    def stop_engine(self) -> None:
        """Takes its mounts away."""
        self.run("rm", "--all", "--force")
        self.run("rmi", "--all", "--force")
        subprocess.run(["umount", str(self._folder / "data" / "overlay")], capture_output=True, check=False)


KINDS = {"process": Processes, "docker": Docker, "podman": Podman}
