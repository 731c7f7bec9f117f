"""Values that users give reach no log, metric, error or audit log: secrets are planted everywhere and looked for."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import wire
from harness.grpc_client import stubs
from harness.otlp import SENDS_SOON, Receiver
from harness.server import ALL_IN_ONE, Server, binary, clean_environment, free_port
from harness.waiting import eventually

CANARY = "CaNaRy"


class Canaries:
    """Makes secrets, each of which tells where it was planted."""

    def __init__(self) -> None:
        self.planted: list[str] = []

    def __call__(self, place: str) -> str:
        canary = f"{CANARY}{place}{secrets.token_hex(8)}"
        self.planted.append(canary)
        return canary


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What is sent over OTLP."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def talkative(shape: str, receiver: Receiver, tmp_path: Path) -> Iterator[tuple[Server, Any, dict[str, str], Path]]:
    """A server that tells all that it can, with keys; a client, its key, and the audit log."""
    keys, audit = tmp_path / "keys.toml", tmp_path / "audit.jsonl"
    line = [str(binary()), "keys", "create", "--credentials", str(keys), "--policy", "admin"]
    made = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True).stdout
    key = dict(line.split("=", 1) for line in made.splitlines())
    telemetry = {"TREENAIL_OTLP_ENDPOINT": receiver.endpoint, **SENDS_SOON}
    server = Server(shape, tmp_path / "server", environment={"TREENAIL_LOG": "trace", **telemetry})
    (tmp_path / "job-key").write_bytes(secrets.token_bytes(32))
    (tmp_path / "job-key").chmod(0o600)
    job_key = ["--job-key-file", str(tmp_path / "job-key")]
    access = ["--credentials", str(keys), "--audit-log", str(audit), *job_key]
    front, admin = ("serve" if shape == ALL_IN_ONE else "gateway"), f"127.0.0.1:{free_port()}"
    server.arguments = {front: [*access, "--admin-listen", admin], "worker": job_key}
    glue = boto3.client(
        "glue",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield server.start(), glue, key | {"admin": admin}, audit
    finally:
        server.kill()


def test_no_secret_is_told(
    talkative: tuple[Server, Any, dict[str, str], Path], receiver: Receiver, tmp_path: Path
) -> None:
    server, glue, key, audit = talkative
    canary = Canaries()
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.argv)\nraise ValueError('no')\n", encoding="utf-8")
    glue.create_job(
        Name="j",
        Role="any",
        Description=canary("description"),
        Command={"Name": "pythonshell", "PythonVersion": "3.9", "ScriptLocation": f"file://{script}"},
        DefaultArguments={"--password": canary("default")},
        NonOverridableArguments={"--token": canary("fixed")},
        Tags={"note": canary("tag")},
    )
    glue.create_workflow(Name="flow", DefaultRunProperties={"key": canary("workflow")})
    action = {"JobName": "j", "Arguments": {"--secret": canary("action")}}
    glue.create_trigger(Name="t", WorkflowName="flow", Type="ON_DEMAND", Actions=[action])
    run = glue.start_workflow_run(Name="flow", RunProperties={"a": canary("run")})["RunId"]
    glue.put_workflow_run_properties(Name="flow", RunId=run, RunProperties={"b": canary("put")})
    eventually(
        lambda: glue.get_workflow_run(Name="flow", RunId=run, IncludeGraph=True)["Run"]["Status"] == "COMPLETED",
        "the run to complete",
    )
    told = [glue.get_job_runs(JobName="j")["JobRuns"][0]["ErrorMessage"]]
    # What is refused is told in words, and they are ours.
    for call, members in (
        (glue.create_job, {"Name": "k", "Role": "any", "Command": {"Name": canary("command")}, "MaxRetries": -1}),
        (glue.put_workflow_run_properties, {"Name": "none", "RunId": run, "RunProperties": {"x": canary("lost")}}),
        (glue.start_job_run, {"JobName": "none", "Arguments": {"--x": canary("argument")}}),
    ):
        with pytest.raises(ClientError) as raised:
            call(**members)
        told.append(str(raised.value))
    wire.request(server.endpoint, "POST", "/", headers={"Authorization": canary("header")}, body=b"{}")
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    with grpc.insecure_channel(server.grpc_target) as channel:
        for token in (f"{key['AWS_ACCESS_KEY_ID']}:{canary('token')}", f"{canary('id')}:x", canary("bare")):
            with pytest.raises(grpc.RpcError) as refused:
                clients.WorkflowServiceStub(channel).ListWorkflows(
                    messages.ListWorkflowsRequest(), metadata=[("authorization", f"Bearer {token}")]
                )
            told.append(str(refused.value))
        good = f"Bearer {key['AWS_ACCESS_KEY_ID']}:{key['AWS_SECRET_ACCESS_KEY']}"
        clients.WorkflowServiceStub(channel).ListWorkflows(
            messages.ListWorkflowsRequest(), metadata=[("authorization", good)]
        )
    # What is left is sent when the server ends.
    exposed = wire.request(f"http://{key['admin']}", "GET", "/metrics").body.decode()
    server.stop()
    places = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in server.data_dir.glob("*.log")}
    places["telemetry"] = receiver.content().decode(errors="replace")
    assert "job j" in {span.name for span in receiver.spans()}
    assert {"treenail_api_requests_total"} <= {name for _, name in receiver.metrics()}
    assert len(receiver.logs()) > 5
    places["audit log"] = audit.read_text(encoding="utf-8")
    places["metrics"] = exposed
    assert "treenail_api_requests_total" in exposed, "what is sent is exposed as well"
    places["errors"] = "\n".join(told)
    assert sum(len(text) for text in places.values()) > 10_000, "the server was to say a lot"
    found = {
        (place, secret[: len(CANARY) + 12])
        for place, text in places.items()
        for secret in [*canary.planted, key["AWS_SECRET_ACCESS_KEY"]]
        if secret in text
    }
    assert found == set()
