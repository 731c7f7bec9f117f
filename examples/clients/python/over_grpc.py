"""Makes, starts and watches a workflow over gRPC; the stubs are made from proto/ when it starts."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import uuid
from importlib.resources import files
from pathlib import Path

import grpc
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[3] / "proto"
ENDPOINT = os.environ.get("TREENAIL_GRPC_ENDPOINT", "127.0.0.1:4571")
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def generate(folder: str) -> None:
    """Makes the stubs of all proto files."""
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    includes = [f"-I{PROTO}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *includes, *outputs, *sources]) != 0:
        raise SystemExit("the proto files are not understood")
    sys.path.insert(0, folder)


def metadata() -> list[tuple[str, str]]:
    """Says on whose behalf calls are made: an account of twelve digits, or a key with its secret."""
    key = os.environ.get("AWS_ACCESS_KEY_ID", "000000000000")
    region = ("treenail-region", REGION)
    if key.isdigit():
        return [region, ("treenail-account", key)]
    return [region, ("authorization", f"Bearer {key}:{os.environ['AWS_SECRET_ACCESS_KEY']}")]


def main() -> None:
    """Does it all."""
    with tempfile.TemporaryDirectory() as folder:
        generate(folder)
        jobs = importlib.import_module("treenail.glue.v1.job_service_pb2")
        job = importlib.import_module("treenail.glue.v1.job_pb2")
        workflows = importlib.import_module("treenail.glue.v1.workflow_service_pb2")
        triggers = importlib.import_module("treenail.glue.v1.trigger_service_pb2")
        trigger = importlib.import_module("treenail.glue.v1.trigger_pb2")
        runs = importlib.import_module("treenail.glue.v1.workflow_run_service_pb2")
        run_types = importlib.import_module("treenail.glue.v1.workflow_run_pb2")
        properties = importlib.import_module("treenail.glue.v1.run_properties_service_pb2")
        watching = importlib.import_module("treenail.ops.v1.watch_service_pb2")

        def client(module: str, service: str, channel: grpc.Channel) -> object:
            return getattr(importlib.import_module(f"treenail.{module}_pb2_grpc"), f"{service}Stub")(channel)

        who = metadata()
        name = f"grpc-{uuid.uuid4().hex[:8]}"
        with grpc.insecure_channel(ENDPOINT) as channel:
            command = job.JobCommand(name="noop")
            client("glue.v1.job_service", "JobService", channel).CreateJob(
                jobs.CreateJobRequest(
                    name=name, role="any", command=command, default_arguments={"--duration-ms": "300"}
                ),
                metadata=who,
            )
            client("glue.v1.workflow_service", "WorkflowService", channel).CreateWorkflow(
                workflows.CreateWorkflowRequest(name=name), metadata=who
            )
            client("glue.v1.trigger_service", "TriggerService", channel).CreateTrigger(
                triggers.CreateTriggerRequest(
                    name=name,
                    workflow_name=name,
                    type=trigger.TRIGGER_TYPE_ON_DEMAND,
                    actions=[trigger.Action(job_name=name)],
                ),
                metadata=who,
            )
            started = client("glue.v1.workflow_run_service", "WorkflowRunService", channel).StartWorkflowRun(
                runs.StartWorkflowRunRequest(name=name), metadata=who
            )
            print(f"started {name}: {started.run_id}")
            request = watching.WatchWorkflowRunRequest(name=name, run_id=started.run_id)
            status = 0
            for answer in client("ops.v1.watch_service", "WatchService", channel).WatchWorkflowRun(
                request, metadata=who
            ):
                status = answer.run.status
                counts = answer.run.statistics
                word = run_types.WorkflowRunStatus.Name(status).removeprefix("WORKFLOW_RUN_STATUS_")
                print(f"{word}: {counts.running_actions} running, {counts.succeeded_actions} succeeded")
            store = client("glue.v1.run_properties_service", "RunPropertiesService", channel)
            store.PutWorkflowRunProperties(
                properties.PutWorkflowRunPropertiesRequest(
                    name=name, run_id=started.run_id, run_properties={"read": "by Python"}
                ),
                metadata=who,
            )
            found = store.GetWorkflowRunProperties(
                properties.GetWorkflowRunPropertiesRequest(name=name, run_id=started.run_id), metadata=who
            )
            print(f"properties: {dict(found.run_properties)}")
        if status != run_types.WORKFLOW_RUN_STATUS_COMPLETED:
            raise SystemExit("the run did not complete")


if __name__ == "__main__":
    main()
