"""Time, moved by hand: schedules, retries, timeouts, event windows and retention."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, TypeVar

import pytest

from harness import wire
from harness.aws import refused
from harness.flows import ENDED_JOB_RUNS, Flow, Run, add_job, job_is, job_run, job_run_ended
from harness.scripts import Gate, exits, fails_once
from harness.server import OPERATOR, Server
from harness.waiting import eventually

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

T = TypeVar("T")


def while_time_passes(server: Server, probe: Callable[[], T | None], what: str, step: int = 5 * SECOND) -> T:
    """Waits for a condition, and moves the clock a step whenever it does not hold."""
    found: T = eventually(probe, what, between=lambda: server.advance_clock(step))
    return found


def now(server: Server) -> datetime:
    """Asks a server what time it is."""
    return datetime.fromtimestamp(server.now(), timezone.utc)


def until(server: Server, moment: datetime) -> int:
    """Gives the milliseconds until a moment."""
    return round((moment - now(server)) / timedelta(milliseconds=1))


def settled(flow: Flow, count: int) -> list[Run]:
    """Waits until a workflow has so many runs and all have ended."""

    def probe() -> list[Run] | None:
        runs = flow.runs()
        return runs if all(run.get()["Status"] not in ("RUNNING", "STOPPING") for run in runs) else None

    runs: list[Run] = eventually(probe, "all runs to end")
    assert len(runs) == count, [run.get() for run in runs]
    return runs


def test_the_clock_goes_as_far_as_it_is_moved(manual_server: Server) -> None:
    before = manual_server.now()
    assert manual_server.now() == before
    manual_server.advance_clock(DAY + 1)
    assert manual_server.now() == pytest.approx(before + 86_400.001, abs=1e-6)


@pytest.mark.parametrize("step", [0, -1, 366 * DAY + 1])
def test_a_step_has_bounds(manual_server: Server, step: int) -> None:
    before = manual_server.now()
    answer = wire.call(manual_server.endpoint, "Treenail.AdvanceClock", {"Milliseconds": step}, OPERATOR)
    assert (answer.status, answer.fault) in ((400, "ValidationException"), (400, "InvalidInputException"))
    assert manual_server.now() == before


def test_the_clock_of_the_machine_is_not_moved(server: Server) -> None:
    answer = wire.call(server.endpoint, "Treenail.AdvanceClock", {"Milliseconds": 1}, OPERATOR)
    assert (answer.status, answer.fault) == (400, "InvalidInputException")
    assert wire.call(server.endpoint, "Treenail.GetClock", {}, OPERATOR).json.get("Manual") in (None, False)


def test_a_schedule_starts_a_run_each_time(manual_server: Server, manual_flow: Flow) -> None:
    manual_flow.job("J1")
    manual_flow.starts_with("J1", kind="SCHEDULED", Schedule="cron(0 3 * * ? *)", StartOnCreation=True)
    today = now(manual_server)
    at_three = today.replace(hour=3, minute=0, second=0, microsecond=0)
    next_fire = at_three if at_three > today else at_three + timedelta(days=1)
    manual_server.advance_clock(until(manual_server, next_fire) - 1)
    assert manual_flow.runs() == []
    manual_server.advance_clock(1)
    (run,) = settled(manual_flow, 1)
    assert run.get()["StartedOn"].astimezone(timezone.utc) == next_fire
    assert run.job_runs("J1")[0]["TriggerName"] == "start"
    for count in (2, 3):
        manual_server.advance_clock(DAY)
        settled(manual_flow, count)


def test_each_due_time_on_the_way_fires_at_its_own_time(manual_server: Server, manual_flow: Flow) -> None:
    manual_flow.starts_with("nowhere", kind="SCHEDULED", Schedule="cron(0 3 * * ? *)", StartOnCreation=True)
    manual_server.advance_clock(3 * DAY)
    runs = settled(manual_flow, 3)
    started = [run.get()["StartedOn"].astimezone(timezone.utc) for run in reversed(runs)]
    assert [(moment.hour, moment.minute) for moment in started] == [(3, 0)] * 3
    assert len({moment.date() for moment in started}) == 3


def test_only_an_activated_schedule_fires(manual_server: Server, manual_flow: Flow) -> None:
    glue = manual_flow.glue
    manual_flow.starts_with("nowhere", kind="SCHEDULED", Schedule="cron(0 * * * ? *)")
    manual_server.advance_clock(HOUR)
    assert manual_flow.runs() == []
    glue.start_trigger(Name="start")
    manual_server.advance_clock(HOUR)
    assert len(manual_flow.runs()) == 1
    update = {"Schedule": "cron(0/30 * * * ? *)", "Actions": [{"JobName": "nowhere"}]}
    glue.update_trigger(Name="start", TriggerUpdate=update)
    manual_server.advance_clock(HOUR)
    assert len(manual_flow.runs()) == 3
    glue.stop_trigger(Name="start")
    manual_server.advance_clock(DAY)
    assert len(manual_flow.runs()) == 3
    glue.start_trigger(Name="start")
    assert len(manual_flow.runs()) == 3, "what was missed is not made up for"
    glue.delete_trigger(Name="start")
    manual_server.advance_clock(DAY)
    assert len(manual_flow.runs()) == 3


def test_a_schedule_outside_a_workflow_starts_its_jobs(manual_server: Server, manual_glue: Any, tmp_path: Path) -> None:
    add_job(manual_glue, tmp_path, "J1")
    add_job(manual_glue, tmp_path, "J2")
    manual_glue.create_trigger(
        Name="hourly",
        Type="SCHEDULED",
        Schedule="cron(0 * * * ? *)",
        Actions=[{"JobName": "J1", "Arguments": {"--a": "1"}}],
        StartOnCreation=True,
    )
    manual_glue.create_trigger(
        Name="then",
        Type="CONDITIONAL",
        Predicate={"Conditions": [job_is("J1")]},
        Actions=[{"JobName": "J2"}],
        StartOnCreation=True,
    )
    manual_server.advance_clock(HOUR)
    (first,) = eventually(lambda: manual_glue.get_job_runs(JobName="J1")["JobRuns"], "J1 to run")
    assert (first["TriggerName"], first["Arguments"]) == ("hourly", {"--a": "1"})
    (second,) = eventually(lambda: manual_glue.get_job_runs(JobName="J2")["JobRuns"], "J2 to run")
    job_run_ended(manual_glue, "J2", second["Id"])


def test_a_schedule_beyond_the_limit_leaves_a_record_in_error(
    manual_server: Server, manual_glue: Any, tmp_path: Path, gate: Gate
) -> None:
    flow = Flow(manual_glue, tmp_path, MaxConcurrentRuns=1)
    flow.job("J1", gate.script)
    flow.starts_with("J1", kind="SCHEDULED", Schedule="cron(0 * * * ? *)", StartOnCreation=True)
    manual_server.advance_clock(HOUR)
    gate.reached()
    manual_server.advance_clock(HOUR)
    second, first = flow.runs()
    assert first.get()["Status"] == "RUNNING"
    found = second.get()
    assert (found["Status"], found["ErrorMessage"]) == ("ERROR", "Concurrent runs exceeded for workflow: flow.")
    gate.open()
    first.ended()


def test_a_job_that_fails_is_tried_again(manual_server: Server, manual_glue: Any, tmp_path: Path) -> None:
    add_job(manual_glue, tmp_path, "j", fails_once(tmp_path / "once"), MaxRetries=1)
    first = manual_glue.start_job_run(JobName="j", Arguments={"--a": "1"})["JobRunId"]
    second = f"{first}_attempt_1"
    runs = while_time_passes(manual_server, lambda: _ended(manual_glue, "j", 2), "the retry to end")
    assert [run["Id"] for run in runs] == [second, first], "the newest first"
    assert [run["JobRunState"] for run in runs] == ["SUCCEEDED", "FAILED"]
    assert [run["Attempt"] for run in runs] == [1, 0]
    assert (runs[0]["PreviousRunId"], runs[0]["Arguments"]) == (first, {"--a": "1"})
    assert job_run(manual_glue, "j", second)["Id"] == second


def test_a_job_is_tried_as_often_as_it_says(manual_server: Server, manual_glue: Any, tmp_path: Path) -> None:
    add_job(manual_glue, tmp_path, "j", exits(1), MaxRetries=2)
    first = manual_glue.start_job_run(JobName="j")["JobRunId"]
    runs = while_time_passes(manual_server, lambda: _ended(manual_glue, "j", 3), "the last attempt to end")
    manual_server.advance_clock(HOUR)
    assert [run["Id"] for run in manual_glue.get_job_runs(JobName="j")["JobRuns"]] == [
        f"{first}_attempt_2",
        f"{first}_attempt_1",
        first,
    ]
    assert runs[0]["PreviousRunId"] == f"{first}_attempt_1"


def test_triggers_see_the_last_attempt_only(manual_server: Server, manual_flow: Flow, tmp_path: Path) -> None:
    manual_flow.job("J1", fails_once(tmp_path / "once"), MaxRetries=1)
    for job in ("J2", "J3"):
        manual_flow.job(job)
    manual_flow.starts_with("J1")
    manual_flow.when("bad", [job_is("J1", "FAILED")], "J2")
    manual_flow.when("good", [job_is("J1")], "J3")
    run = manual_flow.run()
    while_time_passes(manual_server, lambda: run.get()["Status"] == "COMPLETED", "the run to end")
    assert run.states() == {"J1": ["FAILED", "SUCCEEDED"], "J2": [], "J3": ["SUCCEEDED"]}
    assert [found["TriggerName"] for found in run.job_runs("J1")] == ["start", "start"]
    assert run.counts() == {"Total": 3, "Succeeded": 2}, "a node counts by its last attempt"


def test_a_run_goes_on_while_a_retry_is_due(manual_server: Server, manual_flow: Flow) -> None:
    manual_flow.job("J1", exits(1), MaxRetries=1)
    manual_flow.starts_with("J1")
    run = manual_flow.run()
    run_ended = while_time_passes(manual_server, lambda: run.get().get("CompletedOn"), "the run to end")
    first, second = run.job_runs("J1")
    assert first["CompletedOn"] <= second["StartedOn"] <= second["CompletedOn"] <= run_ended
    assert run.counts() == {"Total": 1, "Failed": 1}


def test_a_job_beyond_its_timeout_is_ended(manual_server: Server, manual_flow: Flow, gate: Gate) -> None:
    manual_flow.job("J1", gate.script, Timeout=1, MaxRetries=3)
    manual_flow.job("J2")
    manual_flow.starts_with("J1")
    manual_flow.when("late", [job_is("J1", "TIMEOUT")], "J2")
    run = manual_flow.run()
    gate.reached()
    run.state("J1", "RUNNING")
    manual_server.advance_clock(59 * SECOND)
    assert run.states()["J1"] == ["RUNNING"]
    manual_server.advance_clock(2 * SECOND)
    run.ended()
    assert run.states() == {"J1": ["TIMEOUT"], "J2": ["SUCCEEDED"]}, "a job that took too long is not tried again"
    assert run.counts() == {"Total": 2, "Timeout": 1, "Succeeded": 1}
    assert run.job_runs("J1")[0]["ExecutionTime"] >= 60


def test_a_triggers_timeout_wins_over_the_jobs(manual_server: Server, manual_flow: Flow, gate: Gate) -> None:
    manual_flow.job("J1", gate.script, Timeout=100)
    manual_flow.starts_with({"JobName": "J1", "Timeout": 2})
    run = manual_flow.run()
    gate.reached()
    run.state("J1", "RUNNING")
    manual_server.advance_clock(3 * MINUTE)
    run.ended()
    assert run.states() == {"J1": ["TIMEOUT"]}
    assert run.job_runs("J1")[0]["Timeout"] == 2


def test_runs_are_forgotten_after_their_time(manual_server: Server, manual_flow: Flow) -> None:
    manual_flow.job("J1")
    manual_flow.starts_with("J1")
    old = manual_flow.run()
    old.ended()
    manual_server.advance_clock(80 * DAY)
    young = manual_flow.run()
    young.ended()
    manual_server.advance_clock(11 * DAY)
    eventually(lambda: [run.id for run in manual_flow.runs()] == [young.id], "the old run to be forgotten")
    get = manual_flow.glue.get_workflow_run
    assert refused(get, Name="flow", RunId=old.id) == ("EntityNotFoundException", "Entity not found")


def _ended(glue: Any, job: str, count: int) -> list[dict[str, Any]] | None:
    runs: list[dict[str, Any]] = glue.get_job_runs(JobName=job)["JobRuns"]
    ended = [run for run in runs if run["JobRunState"] in ENDED_JOB_RUNS]
    return runs if len(ended) == count else None
