"""Makes, starts and watches a workflow over gRPC, and follows what its job writes.

The stubs are made from proto/ when it starts.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
from grpc_tools import protoc

HERE = Path(__file__).resolve()
PROTO = HERE.parents[3] / "proto"
ENDPOINT = os.environ.get("TREENAIL_GRPC_ENDPOINT", "http://127.0.0.1:4571")
SCRIPT = os.environ.get("TREENAIL_SCRIPT", str(HERE.parents[1] / "hello.py"))
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def generate(folder: str) -> None:
    """Makes the stubs of all proto files."""
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    includes = [f"-I{PROTO}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *includes, *outputs, *sources]) != 0:
        raise SystemExit("the proto files are not understood")
    sys.path.insert(0, folder)


def connect() -> grpc.Channel:
    """Opens a channel: over TLS to https://, where TREENAIL_CA is who to trust if not whom the system does."""
    scheme, _, target = ENDPOINT.rpartition("://")
    if scheme != "https":
        return grpc.insecure_channel(target)
    authorities = os.environ.get("TREENAIL_CA")
    roots = Path(authorities).read_bytes() if authorities else None
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(roots))


def metadata() -> list[tuple[str, str]]:
    """Says on whose behalf calls are made: an account of twelve digits, or a key with its secret."""
    key = os.environ.get("AWS_ACCESS_KEY_ID", "000000000000")
    region = ("treenail-region", REGION)
    if key.isdigit():
        return [region, ("treenail-account", key)]
    return [region, ("authorization", f"Bearer {key}:{os.environ['AWS_SECRET_ACCESS_KEY']}")]


def stub(channel: grpc.Channel, area: str, service: str) -> Any:
    """Gives a client of a service, such as `JobService` of `glue`."""
    file = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in service).strip("_")
    return getattr(importlib.import_module(f"treenail.{area}.v1.{file}_pb2_grpc"), f"{service}Stub")(channel)


def make(channel: grpc.Channel, name: str) -> None:
    """Makes a workflow of one job."""
    jobs = importlib.import_module("treenail.glue.v1.job_service_pb2")
    job = importlib.import_module("treenail.glue.v1.job_pb2")
    workflows = importlib.import_module("treenail.glue.v1.workflow_service_pb2")
    triggers = importlib.import_module("treenail.glue.v1.trigger_service_pb2")
    trigger = importlib.import_module("treenail.glue.v1.trigger_pb2")

    who = metadata()
    command = job.JobCommand(name="pythonshell", python_version="3.9", script_location=SCRIPT)
    create_job = jobs.CreateJobRequest(name=name, role="any", command=command)
    stub(channel, "glue", "JobService").CreateJob(create_job, metadata=who)
    create_workflow = workflows.CreateWorkflowRequest(name=name)
    stub(channel, "glue", "WorkflowService").CreateWorkflow(create_workflow, metadata=who)
    create_trigger = triggers.CreateTriggerRequest(
        name=name,
        workflow_name=name,
        type=trigger.TRIGGER_TYPE_ON_DEMAND,
        actions=[trigger.Action(job_name=name)],
    )
    stub(channel, "glue", "TriggerService").CreateTrigger(create_trigger, metadata=who)


def watch(channel: grpc.Channel, name: str, run_id: str) -> str:
    """Watches a run until it has ended, and shows what its job writes; gives the last status."""
    watching = importlib.import_module("treenail.ops.v1.watch_service_pb2")
    statuses = importlib.import_module("treenail.glue.v1.workflow_run_pb2").WorkflowRunStatus
    request = watching.WatchWorkflowRunRequest(name=name, run_id=run_id, include_graph=True)
    status, followed = "", set()
    for answer in stub(channel, "ops", "WatchService").WatchWorkflowRun(request, metadata=metadata()):
        counts = answer.run.statistics
        status = statuses.Name(answer.run.status).removeprefix("WORKFLOW_RUN_STATUS_")
        print(f"{status}: {counts.running_actions} running, {counts.succeeded_actions} succeeded")
        for job_run in (run for node in answer.run.graph.nodes for run in node.job_details.job_runs):
            # Whoever reads the stream late hears of the run as it is then: nothing is missed meanwhile.
            if job_run.id not in followed:
                followed.add(job_run.id)
                follow(channel, job_run.id)
    return status


def follow(channel: grpc.Channel, job_run_id: str) -> None:
    """Shows what a job run writes, until it has ended."""
    logs = importlib.import_module("treenail.ops.v1.log_service_pb2")
    request = logs.TailLogsRequest(job_run_id=job_run_id, follow=True)
    sys.stdout.flush()
    for answer in stub(channel, "ops", "LogService").TailLogs(request, metadata=metadata()):
        for chunk in answer.chunks:
            sys.stdout.buffer.write(chunk.data)
            sys.stdout.flush()


def main() -> None:
    """Does it all."""
    with tempfile.TemporaryDirectory() as folder, connect() as channel:
        generate(folder)
        runs = importlib.import_module("treenail.glue.v1.workflow_run_service_pb2")
        properties = importlib.import_module("treenail.glue.v1.run_properties_service_pb2")

        who = metadata()
        name = f"grpc-{uuid.uuid4().hex[:8]}"
        make(channel, name)
        start = runs.StartWorkflowRunRequest(name=name)
        run_id = stub(channel, "glue", "WorkflowRunService").StartWorkflowRun(start, metadata=who).run_id
        print(f"started {name}: {run_id}")
        status = watch(channel, name, run_id)

        store = stub(channel, "glue", "RunPropertiesService")
        put = properties.PutWorkflowRunPropertiesRequest(name=name, run_id=run_id, run_properties={"read": "by Python"})
        store.PutWorkflowRunProperties(put, metadata=who)
        get = properties.GetWorkflowRunPropertiesRequest(name=name, run_id=run_id)
        found = store.GetWorkflowRunProperties(get, metadata=who)
        print(f"properties: {dict(found.run_properties)}")
    if status != "COMPLETED":
        raise SystemExit("the run did not complete")


if __name__ == "__main__":
    main()
