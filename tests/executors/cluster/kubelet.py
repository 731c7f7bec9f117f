"""Runs pods: their containers are processes of this machine, one after the other, in mount namespaces of their own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .output import Output
from .store import Object, RefusedError, Store, now

RUNTIME = Path(__file__).with_name("runtime.py")
NAMESPACES = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=SIGKILL")
IMAGE_ROOT = "/run/image"


class Kubelet:
    """The node."""

    def __init__(self, store: Store, folder: Path, images: dict[str, Object]) -> None:
        self._store = store
        self._folder = folder
        # What an image adds to this machine: folders, and the path on which its programs are.
        self._images = images
        # While it is set, what is killed was killed for want of memory.
        self.is_out_of_memory = threading.Event()
        self._lock = threading.Lock()
        self._outputs: dict[tuple[str, str], Output] = {}
        self._pods: dict[str, Pod] = {}

    def output(self, pod: str, container: str) -> Output | None:
        """What a container wrote, if it was started."""
        with self._lock:
            return self._outputs.get((pod, container))

    def add_output(self, pod: str, container: str) -> Output:
        """Keeps what a container writes from now on."""
        with self._lock:
            return self._outputs.setdefault((pod, container), Output())

    def image(self, name: str) -> Object | None:
        """What an image holds, if there is one."""
        return self._images.get(name)

    def evict(self) -> None:
        """Ends all pods, as a node does that runs out of something."""
        for pod in self._pods.values():
            pod.evict()

    def step(self) -> None:
        """Starts pods that are new, and ends those that are to be deleted."""
        for pod in self._store.all("pods"):
            uid = pod["metadata"]["uid"]
            if uid not in self._pods:
                self._pods[uid] = Pod(self, self._store, self._folder / uid, pod)
                self._pods[uid].start()
            if "deletionTimestamp" in pod["metadata"]:
                self._pods[uid].kill(pod["spec"].get("terminationGracePeriodSeconds", 30))

    def stop(self) -> None:
        """Ends everything."""
        for pod in self._pods.values():
            pod.kill(0)
        for pod in self._pods.values():
            pod.join(10)


class Pod(threading.Thread):
    """One pod."""

    def __init__(self, kubelet: Kubelet, store: Store, folder: Path, pod: Object) -> None:
        super().__init__(daemon=True)
        self._kubelet = kubelet
        self._store = store
        self._folder = folder
        self._pod = pod
        self._uid = pod["metadata"]["uid"]
        self._killed = threading.Event()
        self._evicted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._states: dict[str, Object] = {}

    def run(self) -> None:
        """Lives."""
        spec = self._pod["spec"]
        before, after = spec.get("initContainers", []), spec["containers"]
        for container in [*before, *after]:
            reason = "PodInitializing" if before else "ContainerCreating"
            self._states[container["name"]] = {"waiting": {"reason": reason}}
        self._tell("Pending")
        try:
            phase = self._live(before, after)
        except Exception as error:
            # The node's own failure must not look like the pod's.
            self._tell("Failed", reason="NodeFailure", message=repr(error))
            raise
        finally:
            self._let_go()
        self._tell(phase)
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self, grace_seconds: float) -> None:
        """Asks the processes to end, and kills them after a while."""
        if not self.is_alive():
            self._let_go()
        if self._killed.is_set():
            return
        self._killed.set()
        process = self._process
        if process is not None and process.poll() is None:
            signal_all(process, signal.SIGTERM)
            threading.Timer(grace_seconds, lambda: signal_all(process, signal.SIGKILL)).start()

    def evict(self) -> None:
        """Ends the processes for the node's sake."""
        self._evicted = True
        self.kill(0)

    def _live(self, before: list[Object], after: list[Object]) -> str:
        volumes = self._volumes()
        if volumes is None:
            return "Failed"
        for container in before:
            if self._run(container, volumes, "Pending") != 0:
                return "Failed"
        (container,) = after
        return "Succeeded" if self._run(container, volumes, "Running") == 0 else "Failed"

    def _volumes(self) -> dict[str, Path] | None:
        """Makes the volumes; waits for Secrets as a kubelet does."""
        user = self._pod["spec"]["securityContext"]
        found = {}
        for volume in self._pod["spec"].get("volumes", []):
            path = found[volume["name"]] = self._folder / volume["name"]
            path.mkdir(parents=True)
            if "secret" in volume:
                secret = self._secret(volume["secret"]["secretName"])
                if secret is None:
                    return None
                for name, value in secret["data"].items():
                    (path / name).write_bytes(base64.b64decode(value))
                    (path / name).chmod(volume["secret"].get("defaultMode", 0o644))
                    os.chown(path / name, 0, user["fsGroup"])
            os.chown(path, 0, user["fsGroup"])
            path.chmod(0o2777 if "emptyDir" in volume else 0o755)
        return found

    def _secret(self, name: str) -> Object | None:
        while not self._killed.is_set():
            try:
                return self._store.get("secrets", self._pod["metadata"]["namespace"], name)
            except RefusedError:
                time.sleep(0.05)
        return None

    def _run(self, container: Object, volumes: dict[str, Path], phase: str) -> int:
        name = container["name"]
        image = self._kubelet.image(container["image"])
        while image is None and not self._killed.is_set():
            message = f'Back-off pulling image "{container["image"]}"'
            self._states[name] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            self._tell("Pending")
            self._killed.wait(0.5)
        if self._killed.is_set() or image is None:
            return -1
        started = now()
        process = subprocess.Popen(
            [*NAMESPACES, sys.executable, str(RUNTIME), json.dumps(self._order(container, image, volumes))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._process = process
        if self._killed.is_set():
            signal_all(process, signal.SIGKILL)
        output = self._kubelet.add_output(self._uid, name)
        self._states[name] = {"running": {"startedAt": started}}
        self._tell(phase)
        assert process.stdout is not None
        assert process.stderr is not None
        output.take(process.stdout, process.stderr)
        code = process.wait()
        # With the container's first process all others end.
        signal_all(process, signal.SIGKILL)
        code = code if code >= 0 else 128 - code
        reason = "Completed" if code == 0 else "Error"
        if code == 137 and self._kubelet.is_out_of_memory.is_set():
            reason = "OOMKilled"
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
        self._states[name] = {"terminated": ended}
        self._tell(phase)
        return code

    def _order(self, container: Object, image: Object, volumes: dict[str, Path]) -> Object:
        context = self._pod["spec"]["securityContext"]
        mounts = [
            [mount["mountPath"], str(volumes[mount["name"]]), mount.get("readOnly", False)]
            for mount in container.get("volumeMounts", [])
            # The tests' own files are there, and the programs.
            if mount["mountPath"] != "/tmp"
        ]
        mounts += [[f"{IMAGE_ROOT}/{place}", str(source), True] for place, source in image["folders"].items()]
        path = [f"{IMAGE_ROOT}/{place}" for place in image["path"]]
        environment = {
            "PATH": ":".join([*path, "/usr/local/bin:/usr/bin:/bin"]),
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
            "HOSTNAME": self._pod["metadata"]["name"],
            **image.get("environment", {}),
        }
        for variable in container.get("env", []):
            environment[variable["name"]] = variable["value"]
        return {
            "mounts": mounts,
            "is_root_read_only": container["securityContext"]["readOnlyRootFilesystem"],
            "user": context["runAsUser"],
            "group": context["fsGroup"],
            "command": [*container["command"], *container.get("args", [])],
            "environment": environment,
        }

    def _tell(self, phase: str, **more: str) -> None:
        if self._evicted:
            phase, more = "Failed", {"reason": "Evicted", "message": "The node was low on resource: memory."}
        spec = self._pod["spec"]

        def statuses(containers: list[Object]) -> list[Object]:
            return [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": self._states[container["name"]],
                }
                for container in containers
            ]

        def change(found: Object) -> None:
            status: dict[str, Any] = {
                "phase": phase,
                "containerStatuses": statuses(spec["containers"]),
                "initContainerStatuses": statuses(spec.get("initContainers", [])),
                **more,
            }
            found["status"] = status

        self._store.change("pods", self._pod["metadata"]["namespace"], self._pod["metadata"]["name"], change)

    def _let_go(self) -> None:
        def change(found: Object) -> None:
            held = found["metadata"].get("finalizers", [])
            found["metadata"]["finalizers"] = [name for name in held if name != "kubelet"]

        self._store.change("pods", self._pod["metadata"]["namespace"], self._pod["metadata"]["name"], change)


def signal_all(process: subprocess.Popen[bytes], number: int) -> None:
    """Sends a signal to a process and to all of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
