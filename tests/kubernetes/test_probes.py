"""The pods' own command lines, variables, secrets and probes, with the real binary on this machine.

A pod's container becomes a process: its ports move to free ones of loopback, its folders below a temporary one, and the
names of other services to their ports. What a kubelet and a network would add is not there.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rendered import SERVICES, built, pods

from harness.server import binary, clean_environment, free_port
from harness.waiting import eventually

SHAPES = ("base", "overlays/dev", "overlays/production", "metrics")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
ADMIN_PORT = 4579
PROBE_SECONDS = 2


class Pod:
    """A container of a pod, as a process."""

    def __init__(self, template: dict[str, Any], ports: dict[int, int], folder: Path) -> None:
        (self.container,) = template["spec"]["containers"]
        self.grace_seconds = template["spec"]["terminationGracePeriodSeconds"]
        # Each has an admin port of its own, which the others cannot reach.
        self.ports = {**ports, ADMIN_PORT: free_port()}
        self.folder = folder
        (folder / "data").mkdir(parents=True)
        secrets(folder, self.container["name"])
        self.environment = clean_environment()
        for variable in self.container["env"]:
            self.environment[variable["name"]] = self.here(variable["value"])
        arguments = [self.here(argument) for argument in self.container["args"]]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [binary(), *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def here(self, text: str) -> str:
        """What stands in a manifest, said for this machine."""
        text = re.sub(r"^/(data|etc)\b", rf"{self.folder}/\1", text)
        address = re.fullmatch(r"(https?://)?[a-z0-9.-]+:(45\d\d)", text)
        return f"{address[1] or ''}127.0.0.1:{self.ports[int(address[2])]}" if address else text

    def passes(self, probe: dict[str, Any]) -> bool:
        """Asks as a kubelet would."""
        if "grpc" in probe:
            return is_serving(self.ports[probe["grpc"]["port"]])
        if "httpGet" in probe:
            named = {port["name"]: port["containerPort"] for port in self.container["ports"]}
            return answers(self.ports[named[probe["httpGet"]["port"]]], probe["httpGet"]["path"])
        program, *arguments = probe["exec"]["command"]
        assert program == "treenail"
        done = subprocess.run(
            [binary(), *arguments],
            env=self.environment,
            capture_output=True,
            timeout=probe["timeoutSeconds"],
            check=False,
        )
        return done.returncode == 0


def secrets(folder: Path, service: str) -> None:
    """The secrets of a pod, with the modes that a kubelet gives them."""
    # All services have one authority, which is made with the first.
    trust = folder.parent / "trust"
    if not trust.exists():
        subprocess.run([binary(), "trust", trust], env=clean_environment(), check=True, capture_output=True)
    shutil.copytree(trust / service, folder / "etc/treenail/trust")
    keys, job_key = folder / "etc/treenail/keys/keys.toml", folder / "etc/treenail/job-key/job-key"
    for path in (keys, job_key):
        path.parent.mkdir(parents=True)
    line = [binary(), "keys", "create", "--credentials", keys, "--account", "123456789012"]
    subprocess.run(line, env=clean_environment(), check=True, capture_output=True)
    job_key.write_bytes(bytes(range(32)))
    for path in (keys, job_key):
        path.chmod(0o440)


def is_serving(port: int) -> bool:
    """Asks for the health of the whole server."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
        except grpc.RpcError:
            return False
        return answer.status == health_pb2.HealthCheckResponse.SERVING


def answers(port: int, path: str) -> bool:
    """Asks an address, with a pod's address as its host."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": f"10.0.0.7:{port}"})
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def ports() -> dict[int, int]:
    """The ports of the services, moved to free ones."""
    return {port: free_port() for port in (4570, 4571, 4572, 4573, 4574)}


@pytest.fixture
def started() -> Iterator[dict[str, Pod]]:
    """Pods that a test starts, by name; they end with it."""
    found: dict[str, Pod] = {}
    yield found
    for pod in found.values():
        pod.process.kill()
        pod.process.wait()


@pytest.mark.parametrize("shape", SHAPES)
def test_pods_start_pass_their_probes_and_end_in_time(
    shape: str, started: dict[str, Pod], ports: dict[int, int], tmp_path: Path
) -> None:
    templates = pods(built(shape))
    # In the worst order: who calls starts before whom it calls.
    for name in reversed(SERVICES):
        started[name] = Pod(templates[name], ports, tmp_path / name)
    for name, pod in started.items():
        for probe in PROBES:
            if probe in pod.container:
                eventually(lambda pod=pod, probe=probe: pod.passes(pod.container[probe]), f"{name}'s {probe}")
    if shape == "metrics":
        assert all(answers(pod.ports[ADMIN_PORT], "/metrics") for pod in started.values())
    for name, pod in started.items():
        pod.process.send_signal(signal.SIGTERM)
        assert pod.process.wait(pod.grace_seconds) == 0, f"{name}:\n{pod.log.read_text()}"


def test_a_gateway_that_waits_for_others_lives_and_is_not_ready(
    started: dict[str, Pod], ports: dict[int, int], tmp_path: Path
) -> None:
    gateway = Pod(pods(built("base"))["gateway"], ports, tmp_path / "gateway")
    started["gateway"] = gateway
    for probe in ("startupProbe", "livenessProbe"):
        eventually(lambda probe=probe: gateway.passes(gateway.container[probe]), probe)
    assert not gateway.passes(gateway.container["readinessProbe"])
