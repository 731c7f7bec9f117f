"""The containers: docker-compose.yml and deploy/Dockerfile as they are, on a real Docker Engine.

The images are built from a binary that is compiled already, upon a base that debootstrap made: no image can be pulled
everywhere. So the Dockerfile's builder, and what it installs with apt and pip, are not covered.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from engine import Engine

from harness import wire
from harness.aws import client
from harness.grpc_client import metadata, stubs
from harness.server import REPOSITORY, binary, clean_environment
from harness.waiting import eventually

pytestmark = pytest.mark.timeout(600)

CACHE = REPOSITORY / "tests" / ".cache" / "docker"
ENDPOINT = "http://127.0.0.1:4570"
GRPC = "127.0.0.1:4571"
ACCOUNT = "123456789012"
SERVICES = ("properties-store", "run-scheduler", "control-plane", "gateway", "worker")
IMAGES = {"TREENAIL_IMAGE": "treenail:test", "TREENAIL_WORKER_IMAGE": "treenail-worker:test"}
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with the images."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root, to start an engine")
    subprocess.run([REPOSITORY / "tests" / "compose" / "setup.sh", CACHE], check=True)
    folder = tmp_path_factory.mktemp("engine")
    engine = Engine(folder, CACHE)
    try:
        build(engine.start(), folder)
        yield engine
    finally:
        engine.stop()


def build(engine: Engine, folder: Path) -> None:
    """Builds the images from the compiled binary."""
    stripped = folder / "treenail"
    subprocess.run(["objcopy", "--strip-debug", str(binary()), str(stripped)], check=True)
    with tarfile.open(folder / "binary.tar", "w") as archive:
        archive.add(stripped, "treenail")
    engine.docker("import", str(folder / "binary.tar"), "treenail-binary:test")
    engine.docker("import", str(CACHE / "base.tar"), "base:test")
    bases = ["--build-arg", "BASE_IMAGE=base:test", "--build-arg", "BINARY=treenail-binary:test"]
    bases += ["--build-arg", "PYTHON_PACKAGES="]
    dockerfile = ["--file", str(REPOSITORY / "deploy" / "Dockerfile"), str(REPOSITORY)]
    for target, variable in (("services", "TREENAIL_IMAGE"), ("worker", "TREENAIL_WORKER_IMAGE")):
        engine.docker("build", "--target", target, "--tag", IMAGES[variable], *bases, *dockerfile)


@pytest.fixture(scope="module")
def up(engine: Engine) -> Iterator[Engine]:
    """The services, up and healthy."""
    compose(engine, "up", "--wait", "--no-build", "--pull", "never")
    try:
        yield engine
    finally:
        compose(engine, "down", "--volumes")
        assert engine.docker("ps", "--all", "--quiet") == ""


def compose(engine: Engine, *arguments: str) -> str:
    """Runs compose on the repository's file."""
    return engine.compose("--file", str(REPOSITORY / "docker-compose.yml"), *arguments, environment=IMAGES)


def kill(engine: Engine, *services: str) -> None:
    """Kills the services' processes, as running out of memory does."""
    for service in services:
        os.kill(engine.inspect(f"treenail-{service}-1")["State"]["Pid"], signal.SIGKILL)


def health(engine: Engine, service: str) -> str:
    """Tells what the health check says."""
    state = engine.inspect(f"treenail-{service}-1")["State"]
    return str(state["Health"]["Status"]) if state["Running"] else "down"


def test_containers_have_nothing_that_they_do_not_need(up: Engine) -> None:
    for service in SERVICES:
        container = up.inspect(f"treenail-{service}-1")
        host = container["HostConfig"]
        assert container["Config"]["User"] == "65532:65532"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert health(up, service) == "healthy"
        bound = [binding["HostIp"] for ports in host["PortBindings"].values() for binding in ports]
        assert bound == (["127.0.0.1"] * 2 if service == "gateway" else [])


def test_each_service_has_what_it_proves_itself_with_and_nothing_of_the_others(up: Engine) -> None:
    own = {"tls.crt", "tls.key"}
    more = {
        "gateway": own | {"job-key"},
        "run-scheduler": own | {"worker-token"},
        "worker": {"job-key", "worker-token"},
    }
    keys = set()
    for service in SERVICES:
        has = set(compose(up, "exec", "-T", service, "ls", "/etc/treenail").split())
        assert has == {"ca.crt"} | more.get(service, own), service
        if "tls.key" in has:
            keys.add(compose(up, "exec", "-T", service, "cat", "/etc/treenail/tls.key"))
        command = " ".join(up.inspect(f"treenail-{service}-1")["Config"]["Cmd"])
        assert ("--insecure" in command) == (service == "gateway")
    assert len(keys) == len(SERVICES) - 1


def test_the_readmes_example_runs_unchanged(up: Engine, tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    block = next(block for block in blocks if "aws glue start-workflow-run" in block)
    script = "\n".join(line for line in block.splitlines() if not line.startswith("cargo run"))
    (tmp_path / "hello.py").write_text("print('hello from a container')\n", encoding="utf-8")
    environment = clean_environment() | {"HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    glue = client("glue", ENDPOINT, ACCOUNT)
    run = glue.get_workflow_runs(Name="greet")["Runs"][0]["WorkflowRunId"]
    eventually(
        lambda: glue.get_workflow_run(Name="greet", RunId=run)["Run"]["Status"] == "COMPLETED", "the run to complete"
    )
    job_run = glue.get_job_runs(JobName="hello")["JobRuns"][0]
    assert job_run["JobRunState"] == "SUCCEEDED", job_run
    line = [str(binary()), "logs", job_run["Id"], "--account", ACCOUNT]
    logs = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True)
    assert "hello from a container" in logs.stdout


def test_a_grpc_client_reaches_the_services(up: Engine) -> None:
    client("glue", ENDPOINT, ACCOUNT).create_workflow(Name="over-grpc")
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    with grpc.insecure_channel(GRPC) as channel:
        answer = clients.WorkflowServiceStub(channel).ListWorkflows(
            messages.ListWorkflowsRequest(), metadata=metadata(ACCOUNT)
        )
    assert "over-grpc" in answer.workflows


@pytest.mark.parametrize("victims", [*[(service,) for service in SERVICES], SERVICES], ids="+".join)
def test_what_is_killed_comes_back_and_all_runs_end(up: Engine, victims: tuple[str, ...]) -> None:
    glue = client("glue", ENDPOINT, ACCOUNT, attempts=10)
    name = "kill-" + "-".join(victims)
    for number in range(4):
        glue.create_job(
            Name=f"{name}-{number}",
            Role="any",
            Command={"Name": "noop"},
            DefaultArguments={"--duration-ms": "1500"},
            MaxRetries=9,
        )
    glue.create_workflow(Name=name)
    glue.create_trigger(Name=f"{name}-s", WorkflowName=name, Type="ON_DEMAND", Actions=[{"JobName": f"{name}-0"}])
    for number in range(1, 4):
        condition = {"LogicalOperator": "EQUALS", "JobName": f"{name}-{number - 1}", "State": "SUCCEEDED"}
        glue.create_trigger(
            Name=f"{name}-{number}",
            WorkflowName=name,
            Type="CONDITIONAL",
            StartOnCreation=True,
            Predicate={"Conditions": [condition]},
            Actions=[{"JobName": f"{name}-{number}"}],
        )
    run = glue.start_workflow_run(Name=name)["RunId"]
    kill(up, *victims)

    def ended() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = glue.get_workflow_run(Name=name, RunId=run)["Run"]
        except Exception:  # the gateway is not back yet
            return None
        return found if found["Status"] == "COMPLETED" else None

    found = eventually(ended, "the run to complete", patience_seconds=PATIENCE_SECONDS)
    assert found["Statistics"]["SucceededActions"] == 4, found["Statistics"]
    for service in SERVICES:
        eventually(
            lambda service=service: health(up, service) == "healthy",
            f"{service} to be healthy",
            patience_seconds=PATIENCE_SECONDS,
        )
    assert wire.request(ENDPOINT, "GET", "/readyz").status == 200


def test_data_outlives_its_containers(up: Engine) -> None:
    glue = client("glue", ENDPOINT, ACCOUNT)
    glue.create_workflow(Name="stays")
    compose(up, "down")
    compose(up, "up", "--wait", "--no-build", "--pull", "never")
    assert glue.get_workflow(Name="stays")["Workflow"]["Name"] == "stays"
