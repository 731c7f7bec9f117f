"""Triggers: what is stored, which states they take, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest

from harness.aws import answer, refused
from harness.flows import add_job, crawler_is, job_is, job_run_ended
from harness.waiting import eventually

ACTIONS = [{"JobName": "J1"}]
CRON = "cron(0 3 * * ? *)"
WATCHED = {"Conditions": [job_is("J0")]}


def create(glue: Any, kind: str, name: str = "t", **members: Any) -> None:
    """Creates a trigger of a kind with the least that the kind needs."""
    least: dict[str, dict[str, Any]] = {
        "SCHEDULED": {"Schedule": CRON},
        "CONDITIONAL": {"Predicate": WATCHED},
        "ON_DEMAND": {},
        "EVENT": {"WorkflowName": "w"},
    }
    if kind == "EVENT":
        glue.create_workflow(Name="w")
    glue.create_trigger(**{"Name": name, "Type": kind, "Actions": ACTIONS, **least[kind], **members})


def state(glue: Any, name: str = "t") -> str:
    """Reads a trigger's state."""
    found: str = glue.get_trigger(Name=name)["Trigger"]["State"]
    return found


@pytest.mark.parametrize(
    ("members", "read"),
    [
        ({"Type": "ON_DEMAND"}, {}),
        ({"Type": "ON_DEMAND", "Description": "by hand", "StartOnCreation": False}, {"Description": "by hand"}),
        ({"Type": "SCHEDULED", "Schedule": CRON}, {"Schedule": CRON}),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Logical": "ANY", "Conditions": [job_is("A"), crawler_is("C")]}},
            {"Predicate": {"Logical": "ANY", "Conditions": [job_is("A"), crawler_is("C")]}},
        ),
        ({"Type": "CONDITIONAL", "Predicate": WATCHED}, {"Predicate": WATCHED}),
        (
            {
                "Type": "ON_DEMAND",
                "Actions": [
                    {
                        "JobName": "J1",
                        "Arguments": {"--a": "1"},
                        "Timeout": 10080,
                        "SecurityConfiguration": "s",
                        "NotificationProperty": {"NotifyDelayAfter": 5},
                    },
                    {"CrawlerName": "C1"},
                ],
            },
            {},
        ),
    ],
)
def test_a_trigger_comes_back_as_it_was_created(glue: Any, members: dict[str, Any], read: dict[str, Any]) -> None:
    given = {"Name": "t", "Actions": ACTIONS, **members}
    assert answer(glue.create_trigger(**given)) == {"Name": "t"}
    expected = {"Name": "t", "Type": given["Type"], "State": "CREATED", "Actions": given["Actions"], **read}
    assert glue.get_trigger(Name="t")["Trigger"] == expected


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ({"BatchSize": 1}, {"BatchSize": 1, "BatchWindow": 900}),
        ({"BatchSize": 100, "BatchWindow": 1}, {"BatchSize": 100, "BatchWindow": 1}),
    ],
)
def test_an_event_trigger_has_a_batch_window(glue: Any, given: Any | None, read: Any | None) -> None:
    create(glue, "EVENT", **({} if given is None else {"EventBatchingCondition": given}))
    trigger = glue.get_trigger(Name="t")["Trigger"]
    assert trigger.get("EventBatchingCondition") == read
    assert (trigger["WorkflowName"], trigger["State"]) == ("w", "CREATED")


@pytest.mark.parametrize("kind", ["SCHEDULED", "CONDITIONAL"])
def test_start_on_creation_activates(glue: Any, kind: str) -> None:
    create(glue, kind, StartOnCreation=True)
    assert state(glue) == "ACTIVATED"


@pytest.mark.parametrize("kind", ["ON_DEMAND", "EVENT"])
def test_start_on_creation_is_not_for_every_type(glue: Any, kind: str) -> None:
    glue.create_workflow(Name="w")
    call = {"Name": "t", "Type": kind, "Actions": ACTIONS, "WorkflowName": "w", "StartOnCreation": True}
    message = f"Starting trigger on create is not supported for {kind} trigger type."
    assert refused(glue.create_trigger, **call) == ("InvalidInputException", message)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Type": "SCHEDULED"}, "Schedule cannot be null or empty"),
        ({"Type": "SCHEDULED", "Schedule": ""}, "Schedule cannot be null or empty"),
        (
            {"Type": "SCHEDULED", "Schedule": "cron(0 10 1 * MON *)"},
            "The schedule cron(0 10 1 * MON *) is invalid.",
        ),
        ({"Type": "SCHEDULED", "Schedule": "cron(0 10 * * * *)"}, "The schedule cron(0 10 * * * *) is invalid."),
        ({"Type": "SCHEDULED", "Schedule": "cron(0 10 ? * ? *)"}, "The schedule cron(0 10 ? * ? *) is invalid."),
        ({"Type": "SCHEDULED", "Schedule": "cron(60 10 * * ? *)"}, "The schedule cron(60 10 * * ? *) is invalid."),
        ({"Type": "SCHEDULED", "Schedule": "cron(0 10 * * ?)"}, "The schedule cron(0 10 * * ?) is invalid."),
        ({"Type": "SCHEDULED", "Schedule": "rate(5 minutes)"}, "The schedule rate(5 minutes) is invalid."),
        ({"Type": "SCHEDULED", "Schedule": " cron(0 10 * * ? *)"}, "The schedule  cron(0 10 * * ? *) is invalid."),
        ({"Type": "CONDITIONAL"}, "Predicate cannot be null or empty"),
        ({"Type": "CONDITIONAL", "Predicate": {}}, "Predicate cannot be null or empty"),
        ({"Type": "CONDITIONAL", "Predicate": {"Conditions": []}}, "Predicate cannot be null or empty"),
        ({"Type": "EVENT"}, "Workflow name cannot be null or empty"),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [job_is("A"), job_is("B")]}},
            "Logical operator cannot be null or empty when more than one condition is present.",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [{"JobName": "A", "State": "SUCCEEDED"}]}},
            "Logical operator cannot be null or empty",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [{"LogicalOperator": "EQUALS", "JobName": "A"}]}},
            "State cannot be null or empty, choose from one of the following job state: "
            "[SUCCEEDED, STOPPED, FAILED, TIMEOUT]",
        ),
        (
            {
                "Type": "CONDITIONAL",
                "Predicate": {"Conditions": [{"LogicalOperator": "EQUALS", "CrawlerName": "C", "State": "SUCCEEDED"}]},
            },
            "State cannot be null or empty, choose from one of the following crawler state: "
            "[SUCCEEDED, FAILED, CANCELLED]",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [job_is("A", "RUNNING")]}},
            "JobRunState should be any of: [SUCCEEDED, STOPPED, FAILED, TIMEOUT]",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [job_is("A", "ERROR")]}},
            "JobRunState should be any of: [SUCCEEDED, STOPPED, FAILED, TIMEOUT]",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [crawler_is("C", "RUNNING")]}},
            "CrawlerState should be any of: [SUCCEEDED, FAILED, CANCELLED]",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [{"LogicalOperator": "EQUALS", "State": "FAILED"}]}},
            "JobName or CrawlerName in condition cannot be null or empty",
        ),
        (
            {"Type": "ON_DEMAND", "Actions": [{"JobName": "A", "CrawlerName": "C"}]},
            "Both JobName or CrawlerName cannot be set together in an action",
        ),
        (
            {"Type": "ON_DEMAND", "Actions": [{"Arguments": {"--a": "1"}}]},
            "JobName or CrawlerName in action cannot be null or empty",
        ),
        ({"Type": "ON_DEMAND", "Actions": []}, "Actions cannot be null or empty"),
        (
            {"Type": "ON_DEMAND", "Actions": [{"CrawlerName": name} for name in ("A", "B", "C")]},
            "Actions cannot contain more than two crawlers",
        ),
        (
            {"Type": "CONDITIONAL", "Predicate": {"Conditions": [job_is("J1")]}},
            "Job cannot be a Predicate and Action for Conditional Trigger.",
        ),
    ],
)
def test_a_wrong_definition_is_refused_in_aws_words(glue: Any, members: dict[str, Any], message: str) -> None:
    call = {"Name": "t", "Actions": ACTIONS, **members}
    assert refused(glue.create_trigger, **call) == ("InvalidInputException", message)
    assert glue.list_triggers()["TriggerNames"] == []


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"Actions": ACTIONS}, "Predicate cannot be null or empty"),
        (
            {"Actions": ACTIONS, "Predicate": {"Conditions": [job_is("J1")]}},
            "Job cannot be a Predicate and Action for Conditional Trigger.",
        ),
        ({"Actions": [], "Predicate": WATCHED}, "Actions cannot be null or empty"),
    ],
)
def test_an_update_is_held_to_the_same_rules(glue: Any, update: dict[str, Any], message: str) -> None:
    create(glue, "CONDITIONAL", Description="old")
    assert refused(glue.update_trigger, Name="t", TriggerUpdate=update) == ("InvalidInputException", message)
    assert glue.get_trigger(Name="t")["Trigger"]["Description"] == "old"


@pytest.mark.parametrize(
    ("state", "constraint"),
    [("SLEEPING", "Member must satisfy enum value set"), ("succeeded", "Member must satisfy enum value set")],
)
def test_a_state_that_does_not_exist_is_a_validation_error(glue: Any, state: str, constraint: str) -> None:
    call = {"Name": "t", "Type": "CONDITIONAL", "Actions": ACTIONS, "Predicate": {"Conditions": [job_is("A", state)]}}
    code, message = refused(glue.create_trigger, **call)
    assert code == "ValidationException"
    path = "predicate.conditions.1.member.state"
    assert message.startswith(
        f"1 validation error detected: Value '{state}' at '{path}' failed to satisfy constraint: "
    )
    assert constraint in message


def test_five_hundred_conditions_are_the_most(glue: Any) -> None:
    conditions = [job_is(f"A{number}") for number in range(501)]
    call = {"Name": "t", "Type": "CONDITIONAL", "Actions": ACTIONS}
    code, message = refused(glue.create_trigger, **call, Predicate={"Logical": "AND", "Conditions": conditions})
    assert code == "ValidationException"
    assert "at 'predicate.conditions' failed to satisfy constraint" in message
    glue.create_trigger(**call, Predicate={"Logical": "AND", "Conditions": conditions[:500]})


def test_a_condition_on_both_is_a_condition_on_the_job(glue: Any) -> None:
    both = {**job_is("A"), "CrawlerName": "C", "CrawlState": "FAILED"}
    create(glue, "CONDITIONAL", Predicate={"Conditions": [both]})
    assert glue.get_trigger(Name="t")["Trigger"]["Predicate"] == {"Conditions": [job_is("A")]}


@pytest.mark.parametrize("schedule", ["Cron(0 10 * * ? *)", "CRON(0/1 * * * ? *)", "cron(0 9 ? * 2#1 *)"])
@pytest.mark.parametrize("last", ["cron(0 0 1 1 ? 2020)"])
def test_schedules_that_aws_takes_are_taken(glue: Any, schedule: str, last: str) -> None:
    create(glue, "SCHEDULED", Schedule=schedule)
    assert glue.get_trigger(Name="t")["Trigger"]["Schedule"] == schedule
    create(glue, "SCHEDULED", name="past", Schedule=last)


@pytest.mark.parametrize("kind", ["SCHEDULED", "CONDITIONAL"])
def test_a_trigger_is_started_and_stopped(glue: Any, kind: str) -> None:
    create(glue, kind)
    assert answer(glue.start_trigger(Name="t")) == {"Name": "t"}
    assert state(glue) == "ACTIVATED"
    assert refused(glue.start_trigger, Name="t") == not_allowed("ACTIVATED")
    assert answer(glue.stop_trigger(Name="t")) == {"Name": "t"}
    assert state(glue) == "DEACTIVATED"
    assert refused(glue.stop_trigger, Name="t") == not_allowed("DEACTIVATED")
    glue.start_trigger(Name="t")
    assert state(glue) == "ACTIVATED"


@pytest.mark.parametrize("kind", ["SCHEDULED", "CONDITIONAL", "ON_DEMAND", "EVENT"])
def test_a_created_trigger_cannot_be_stopped(glue: Any, kind: str) -> None:
    create(glue, kind)
    assert refused(glue.stop_trigger, Name="t") == not_allowed("CREATED")


def test_an_event_trigger_cannot_be_started(glue: Any) -> None:
    create(glue, "EVENT")
    assert refused(glue.start_trigger, Name="t") == ("InvalidInputException", "Trigger Type EVENT cannot be started")
    assert state(glue) == "CREATED"


def test_starting_an_on_demand_trigger_starts_its_jobs_and_leaves_it_created(glue: Any, tmp_path: Any) -> None:
    add_job(glue, tmp_path, "J1")
    create(glue, "ON_DEMAND", Actions=[{"JobName": "J1", "Arguments": {"--a": "1"}}])
    assert answer(glue.start_trigger(Name="t")) == {"Name": "t"}
    assert state(glue) == "CREATED"
    (run,) = eventually(lambda: glue.get_job_runs(JobName="J1")["JobRuns"], "a run of J1")
    ended = job_run_ended(glue, "J1", run["Id"])
    assert (ended["TriggerName"], ended["Arguments"]) == ("t", {"--a": "1"})
    glue.start_trigger(Name="t")
    assert len(glue.get_job_runs(JobName="J1")["JobRuns"]) == 2


def test_starting_an_on_demand_trigger_without_its_job_is_refused(glue: Any) -> None:
    create(glue, "ON_DEMAND")
    code, _ = refused(glue.start_trigger, Name="t")
    assert code == "EntityNotFoundException"


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_trigger", {}),
        ("start_trigger", {}),
        ("stop_trigger", {}),
        ("update_trigger", {"TriggerUpdate": {"Actions": ACTIONS}}),
    ],
)
def test_an_unknown_trigger_is_not_found(glue: Any, operation: str, members: dict[str, Any]) -> None:
    fault = ("EntityNotFoundException", "Trigger nowhere not found.")
    assert refused(getattr(glue, operation), Name="nowhere", **members) == fault


def test_deleting_what_is_not_there_is_no_error(glue: Any) -> None:
    assert answer(glue.delete_trigger(Name="nowhere")) == {"Name": "nowhere"}


@pytest.mark.parametrize("kind", ["SCHEDULED", "CONDITIONAL", "ON_DEMAND", "EVENT"])
def test_a_deleted_trigger_is_gone(glue: Any, kind: str) -> None:
    create(glue, kind)
    assert answer(glue.delete_trigger(Name="t")) == {"Name": "t"}
    assert refused(glue.get_trigger, Name="t") == ("EntityNotFoundException", "Trigger t not found.")


def test_an_update_replaces_the_whole_definition(glue: Any) -> None:
    create(glue, "CONDITIONAL", Description="old", StartOnCreation=True)
    update = {"Actions": [{"JobName": "J2"}], "Predicate": {"Conditions": [job_is("J1", "FAILED")]}}
    expected = {"Name": "t", "Type": "CONDITIONAL", "State": "ACTIVATED", **update}
    assert glue.update_trigger(Name="t", TriggerUpdate=update)["Trigger"] == expected
    assert glue.get_trigger(Name="t")["Trigger"] == expected


@pytest.mark.parametrize("kind", ["SCHEDULED", "ON_DEMAND", "EVENT"])
def test_an_update_leaves_type_state_and_workflow(glue: Any, kind: str) -> None:
    create(glue, kind)
    before = glue.get_trigger(Name="t")["Trigger"]
    update = {"Actions": ACTIONS, "Description": "new", **({"Schedule": CRON} if kind == "SCHEDULED" else {})}
    assert glue.update_trigger(Name="t", TriggerUpdate=update)["Trigger"] == {**before, "Description": "new"}


def test_the_same_trigger_again_is_no_error(glue: Any) -> None:
    create(glue, "SCHEDULED", Description="a")
    create(glue, "SCHEDULED", Description="a")
    code, message = refused(create, glue=glue, kind="SCHEDULED", Description="b")
    assert code == "IdempotentParameterMismatchException"
    assert message == "Trigger with name 't' already submitted with different configuration"


def test_a_trigger_of_an_unknown_workflow_is_refused(glue: Any) -> None:
    code, _ = refused(glue.create_trigger, Name="t", Type="ON_DEMAND", Actions=ACTIONS, WorkflowName="nowhere")
    assert code == "EntityNotFoundException"


@pytest.mark.parametrize("second", ["ON_DEMAND", "SCHEDULED", "EVENT"])
def test_a_workflow_has_one_starting_trigger(glue: Any, second: str) -> None:
    glue.create_workflow(Name="w")
    glue.create_trigger(Name="first", Type="ON_DEMAND", Actions=ACTIONS, WorkflowName="w")
    call = {"Name": "t", "Type": second, "Actions": ACTIONS, "WorkflowName": "w", "Schedule": CRON}
    fault = ("InvalidInputException", "Workflow w already has a starting trigger first")
    assert refused(glue.create_trigger, **call) == fault
    glue.delete_trigger(Name="first")
    glue.create_trigger(**call)


def test_fifty_jobs_are_the_most_of_one_trigger(glue: Any) -> None:
    actions = [{"JobName": f"J{number}"} for number in range(51)]
    code, message = refused(glue.create_trigger, Name="t", Type="ON_DEMAND", Actions=actions)
    assert code == "ResourceNumberLimitExceededException"
    assert message == (
        "The number of jobs per trigger has exceeded the limit. Your account is limited to 50 jobs per trigger."
    )
    glue.create_trigger(Name="t", Type="ON_DEMAND", Actions=actions[:50])


def test_triggers_are_listed_by_the_job_that_they_start(glue: Any) -> None:
    create(glue, "ON_DEMAND", name="a")
    create(glue, "ON_DEMAND", name="b", Actions=[{"JobName": "J2"}, {"JobName": "J1"}])
    create(glue, "CONDITIONAL", name="c", Actions=[{"JobName": "J2"}])
    assert glue.list_triggers()["TriggerNames"] == ["a", "b", "c"]
    assert glue.list_triggers(DependentJobName="J1")["TriggerNames"] == ["a", "b"]
    found = glue.get_triggers(DependentJobName="J2")["Triggers"]
    assert [trigger["Name"] for trigger in found] == ["b", "c"]
    assert glue.list_triggers(DependentJobName="nowhere")["TriggerNames"] == ["a", "b", "c"]


def test_a_batch_tells_which_triggers_are_missing(glue: Any) -> None:
    create(glue, "ON_DEMAND", name="a")
    found = glue.batch_get_triggers(TriggerNames=["nowhere", "a"])
    assert [trigger["Name"] for trigger in found["Triggers"]] == ["a"]
    assert found["TriggersNotFound"] == ["nowhere"]


def not_allowed(state: str) -> tuple[str, str]:
    """Gives the fault of an operation that a trigger's state does not allow."""
    return "InvalidInputException", f"The operation is not allowed when trigger is in state: {state}"
