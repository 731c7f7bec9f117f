"""Makes, starts and watches a workflow with boto3, as it would on AWS."""

from __future__ import annotations

import os
import time
import uuid

import boto3

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4570")


def main() -> None:
    """Does it all."""
    glue = boto3.client(
        "glue",
        endpoint_url=ENDPOINT,
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "000000000000"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "any"),
    )
    name = f"boto3-{uuid.uuid4().hex[:8]}"
    glue.create_job(Name=name, Role="any", Command={"Name": "noop"}, DefaultArguments={"--duration-ms": "300"})
    glue.create_workflow(Name=name)
    glue.create_trigger(Name=name, WorkflowName=name, Type="ON_DEMAND", Actions=[{"JobName": name}])
    run = glue.start_workflow_run(Name=name)["RunId"]
    print(f"started {name}: {run}")
    while True:
        found = glue.get_workflow_run(Name=name, RunId=run)["Run"]
        if found["Status"] != "RUNNING":
            break
        time.sleep(0.1)
    counts = found["Statistics"]
    print(f"{found['Status']}: {counts['RunningActions']} running, {counts['SucceededActions']} succeeded")
    glue.put_workflow_run_properties(Name=name, RunId=run, RunProperties={"read": "by Python"})
    print(f"properties: {glue.get_workflow_run_properties(Name=name, RunId=run)['RunProperties']}")
    if found["Status"] != "COMPLETED":
        raise SystemExit("the run did not complete")


if __name__ == "__main__":
    main()
