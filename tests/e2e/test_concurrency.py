"""Many clients at once: limits hold, and one call is one run however often it is sent."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest
from botocore.exceptions import ClientError

from harness import wire
from harness.aws import refused
from harness.flows import Flow, add_job, job_is
from harness.scripts import Gate
from harness.server import Server

CALLERS = 12


def at_once(call: Callable[[int], Any]) -> list[Any]:
    """Makes a call from many threads at once; gives their answers, or what the server refused with."""

    def attempt(number: int) -> Any:
        try:
            return call(number)
        except ClientError as error:
            return error

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(attempt, range(CALLERS)))


def codes(answers: list[Any]) -> list[str]:
    """Gives the names of the exceptions among answers."""
    return [answer.response["Error"]["Code"] for answer in answers if isinstance(answer, ClientError)]


def test_a_workflow_is_not_run_more_often_than_it_may(glue: Any, tmp_path: Path, gate: Gate) -> None:
    flow = Flow(glue, tmp_path, MaxConcurrentRuns=2)
    flow.job("J1", gate.script, ExecutionProperty={"MaxConcurrentRuns": 9})
    flow.starts_with("J1")
    answers = at_once(lambda _: glue.start_workflow_run(Name="flow")["RunId"])
    assert codes(answers) == ["ConcurrentRunsExceededException"] * (CALLERS - 2)
    fault = ("ConcurrentRunsExceededException", "Concurrent runs exceeded for workflow: flow.")
    assert refused(glue.start_workflow_run, Name="flow") == fault
    assert refused(glue.start_trigger, Name="start") == fault
    assert len(flow.runs()) == 2, "what was refused leaves no record"
    gate.open()
    for run in flow.runs():
        run.ended()
    flow.run().ended()


def test_a_stopping_run_counts_for_the_limit_until_it_has_stopped(glue: Any, tmp_path: Path, gate: Gate) -> None:
    flow = Flow(glue, tmp_path, MaxConcurrentRuns=1)
    flow.job("J1", gate.script)
    flow.starts_with("J1")
    first = flow.run()
    gate.reached()
    first.stop()
    first.ended("STOPPED")
    gate.open()
    flow.run().ended()


def test_a_job_is_not_run_more_often_than_it_may(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script, ExecutionProperty={"MaxConcurrentRuns": 3})
    answers = at_once(lambda _: glue.start_job_run(JobName="j")["JobRunId"])
    assert codes(answers) == ["ConcurrentRunsExceededException"] * (CALLERS - 3)
    assert len(glue.get_job_runs(JobName="j")["JobRuns"]) == 3
    gate.open()


def test_a_name_is_created_once(glue: Any) -> None:
    answers = at_once(lambda _: glue.create_workflow(Name="w")["Name"])
    assert codes(answers) == ["AlreadyExistsException"] * (CALLERS - 1)


def test_triggers_are_added_to_one_workflow_at_once(flow: Flow) -> None:
    answers = at_once(lambda number: flow.when(f"t{number}", [job_is("J1")], "J2"))
    assert codes(answers) == [], "they are put in order, where AWS answers ConcurrentModificationException"
    graph = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"]["Graph"]
    assert sum(node["Type"] == "TRIGGER" for node in graph["Nodes"]) == CALLERS


def test_properties_put_at_once_are_all_there(flow: Flow) -> None:
    run = flow.run()
    put = flow.glue.put_workflow_run_properties
    answers = at_once(lambda number: put(Name="flow", RunId=run.id, RunProperties={f"p{number}": str(number)}))
    assert codes(answers) == []
    assert run.properties() == {f"p{number}": str(number) for number in range(CALLERS)}


@pytest.mark.parametrize(
    ("target", "members", "member"),
    [
        ("AWSGlue.StartWorkflowRun", {"Name": "flow"}, "RunId"),
        ("AWSGlue.StartJobRun", {"JobName": "J1"}, "JobRunId"),
    ],
)
def test_a_call_that_an_sdk_repeats_is_one_run(
    server: Server, flow: Flow, account: str, target: str, members: dict[str, str], member: str
) -> None:
    flow.job("J1", ExecutionProperty={"MaxConcurrentRuns": CALLERS})

    def call(invocation: str) -> str:
        answer = wire.call(server.endpoint, target, members, account, {"amz-sdk-invocation-id": invocation})
        assert answer.status == 200, answer
        return str(answer.json[member])

    invocation = str(uuid.uuid4())
    answers = at_once(lambda _: call(invocation))
    assert len(set(answers)) == 1, answers
    assert call(invocation) == answers[0]
    assert call(str(uuid.uuid4())) != answers[0]


def test_the_invocation_of_another_account_is_another_call(server: Server, account: str, flow: Flow) -> None:
    extra = {"amz-sdk-invocation-id": str(uuid.uuid4())}
    mine = wire.call(server.endpoint, "AWSGlue.StartWorkflowRun", {"Name": "flow"}, account, extra)
    assert mine.status == 200
    other = wire.call(server.endpoint, "AWSGlue.StartWorkflowRun", {"Name": "flow"}, f"9{account[1:]}", extra)
    assert other.fault == "EntityNotFoundException"
