"""A load whose every call is known afterwards: what was acknowledged, and what nobody knows of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Callable

from botocore.exceptions import ClientError

from .flows import ROLE, job_is
from .waiting import eventually

PAUSE_SECONDS = 0.1
# As the SDKs do by default: repeated calls must not start two runs.
ATTEMPTS = 4
HEALING_SECONDS = 90
CHAIN = ("first", "second", "third")


@dataclass
class Account:
    """What one client did and heard."""

    started: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    # For each run, the values that were put, and how many of them are known to be there.
    put: dict[str, list[str]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)


def insist(call: Callable[..., Any], **members: Any) -> None:
    """Repeats a call that creates something until it is known to be there."""

    def is_there() -> bool:
        try:
            call(**members)
        except ClientError as error:
            return error.response["Error"]["Code"] == "AlreadyExistsException"
        except Exception:  # the server is not there just now
            return False
        return True

    eventually(is_there, "a definition to be made")


def define(glue: Any) -> None:
    """A chain of jobs that do nothing; a job that was lost with its worker is tried again."""
    insist(glue.create_workflow, Name="flow")
    for number, name in enumerate(CHAIN):
        insist(
            glue.create_job,
            Name=name,
            Role=ROLE,
            Command={"Name": "noop"},
            DefaultArguments={"--duration-ms": str(number * 20)},
            MaxRetries=9,
            ExecutionProperty={"MaxConcurrentRuns": 100_000},
        )
    start = {"Name": "start", "Type": "ON_DEMAND", "WorkflowName": "flow", "Actions": [{"JobName": CHAIN[0]}]}
    insist(glue.create_trigger, **start)
    for before, after in zip(CHAIN, CHAIN[1:], strict=False):
        insist(
            glue.create_trigger,
            Name=f"then {after}",
            Type="CONDITIONAL",
            WorkflowName="flow",
            StartOnCreation=True,
            Predicate={"Conditions": [job_is(before)]},
            Actions=[{"JobName": after}],
        )


def use(glue: Any, name: str, over: Event) -> Account:
    """Starts runs and puts properties until the storm is over."""
    account = Account()
    number = 0
    while not over.wait(PAUSE_SECONDS):
        tag = f"{name}-{number}"
        number += 1
        account.asked.add(tag)
        try:
            run = glue.start_workflow_run(Name="flow", RunProperties={"tag": tag})["RunId"]
        except Exception:  # nobody knows whether it was started
            continue
        account.started[tag] = run
        for turn in range(3):
            values = account.put.setdefault(run, [])
            values.append(f"{tag}-{turn}")
            try:
                glue.put_workflow_run_properties(Name="flow", RunId=run, RunProperties={"value": values[-1]})
            except Exception:  # nobody knows whether it is there
                break
            account.known[run] = len(values)
    return account


def all_runs(glue: Any, graphs: bool) -> list[dict[str, Any]]:
    """All runs."""
    runs, token = [], {}
    while True:
        page = glue.get_workflow_runs(Name="flow", IncludeGraph=graphs, **token)
        runs += page["Runs"]
        if "NextToken" not in page:
            return runs
        token = {"NextToken": page["NextToken"]}


def check(glue: Any, accounts: list[Account]) -> list[dict[str, Any]]:
    """Waits until all has healed; then nothing that was acknowledged is missing and nothing happened twice."""
    started = {tag: run for account in accounts for tag, run in account.started.items()}

    def has_healed() -> bool:
        return all(run["Status"] == "COMPLETED" for run in all_runs(glue, graphs=False))

    eventually(has_healed, "all runs to complete", patience_seconds=HEALING_SECONDS)
    runs = all_runs(glue, graphs=True)
    by_tag = Counter(run["WorkflowRunProperties"]["tag"] for run in runs)
    assert [tag for tag, count in by_tag.items() if count > 1] == [], "a call started two runs"
    assert set(by_tag) <= {tag for account in accounts for tag in account.asked}
    found = {run["WorkflowRunId"]: run for run in runs}
    assert [tag for tag, run in started.items() if run not in found] == [], "a run that was acknowledged is gone"
    for run in runs:
        for node in run["Graph"]["Nodes"]:
            attempts = [job["JobRunState"] for job in node.get("JobDetails", {}).get("JobRuns", [])]
            assert attempts.count("SUCCEEDED") <= 1, run
            assert all(state == "FAILED" for state in attempts[:-1]), run
    for account_of in accounts:
        for run_id, values in account_of.put.items():
            value = found[run_id]["WorkflowRunProperties"].get("value")
            possible = values[max(account_of.known.get(run_id, 0) - 1, 0) :]
            is_first_unknown = account_of.known.get(run_id, 0) == 0 and value is None
            assert value in possible or is_first_unknown, (run_id, value, values, account_of.known.get(run_id))
    return runs
