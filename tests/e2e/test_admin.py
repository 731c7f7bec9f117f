"""The port for operators: health, readiness and metrics."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import wire
from harness.aws import client, refused
from harness.flows import Flow
from harness.server import REPOSITORY, Server, binary, clean_environment, free_port
from harness.waiting import eventually


@pytest.fixture
def watched(shape: str, tmp_path: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server whose processes each have such a port; and where it is."""
    server = Server(shape, tmp_path / "server")
    names = server.names()
    addresses = {name: f"127.0.0.1:{free_port()}" for name in names}
    server.arguments = {name: ["--admin-listen", address] for name, address in addresses.items()}
    try:
        yield server.start(), addresses
    finally:
        server.kill()


def metrics(addresses: dict[str, str]) -> dict[str, float]:
    """Reads the metrics of all processes, summed by name and labels."""
    found: dict[str, float] = {}
    for address in addresses.values():
        answer = wire.request(f"http://{address}", "GET", "/metrics")
        assert answer.status == 200
        for line in answer.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = found.get(name, 0.0) + float(value)
    return found


def names_in(text: str) -> set[str]:
    """The metrics that a text names, without what Prometheus adds to those of histograms."""
    return {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"treenail_[a-z_]+", text)}


def healthcheck(address: str) -> int:
    line = [str(binary()), "healthcheck", "--admin-listen", address]
    return subprocess.run(line, env=clean_environment(), capture_output=True, timeout=30, check=False).returncode


def test_operators_see_what_goes_on(watched: tuple[Server, dict[str, str]], account: str, tmp_path: Path) -> None:
    server, addresses = watched
    glue = client("glue", server.endpoint, account)
    flow = Flow(glue, tmp_path, name="canary-flow")
    flow.job("canary-job")
    flow.starts_with("canary-job")
    flow.run().ended()
    refused(glue.get_workflow, Name="none")
    wire.call(server.endpoint, "AWSGlue.NoSuchThing", {}, account)
    eventually(lambda: metrics(addresses).get("treenail_worker_slots_held", 1.0) == 0.0, "the slot to be free")
    found = metrics(addresses)
    assert found['treenail_api_requests_total{operation="StartWorkflowRun",code="OK"}'] == 1.0
    assert found['treenail_api_requests_total{operation="GetWorkflow",code="EntityNotFoundException"}'] == 1.0
    assert found['treenail_api_requests_total{operation="unknown",code="UnknownOperationException"}'] == 1.0
    assert found['treenail_api_request_seconds_count{operation="StartWorkflowRun"}'] == 1.0
    assert found["treenail_transitions_total"] >= 5
    assert found["treenail_queue_depth"] == 0.0
    assert found["treenail_worker_slots_free"] > 0.0
    assert found['treenail_worker_tasks_ended_total{result="RESULT_SUCCEEDED"}'] == 1.0
    for database in ("definitions", "runs", "properties"):
        assert found[f'treenail_store_commit_seconds_count{{database="{database}"}}'] > 0.0
    # What dashboard, alerts and documentation speak of is there.
    there = names_in("\n".join(found))
    for path in ("deploy/monitoring/alerts.yaml", "deploy/monitoring/dashboard.json", "docs/metrics.md"):
        named = names_in((REPOSITORY / path).read_text(encoding="utf-8"))
        assert named <= there, path
        assert path != "docs/metrics.md" or named == there
    # No names of workflows or jobs, and no accounts.
    assert not any(re.search(rf"canary|{account}", name) for name in found)


def test_a_health_check_tells_whether_a_process_is_ready(watched: tuple[Server, dict[str, str]]) -> None:
    server, addresses = watched
    for name, address in addresses.items():
        eventually(lambda address=address: healthcheck(address) == 0, f"{name} to be ready")
        assert wire.request(f"http://{address}", "GET", "/healthz").status == 200
        assert wire.request(f"http://{address}", "GET", "/").status == 404
    if "run-scheduler" in addresses:
        server.kill("run-scheduler")
        eventually(lambda: healthcheck(addresses["gateway"]) == 1, "the gateway not to be ready")
        eventually(lambda: healthcheck(addresses["worker"]) == 1, "the worker not to be ready")
        server.start()
        eventually(lambda: healthcheck(addresses["worker"]) == 0, "the worker to be ready again")
    server.kill()
    assert healthcheck(next(iter(addresses.values()))) == 1


def test_an_admin_port_stays_on_loopback(tmp_path: Path) -> None:
    line = [str(binary()), "worker", "--data-dir", str(tmp_path), "--admin-listen", "192.0.2.1:4579"]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 78
    assert "insecure" in done.stderr
