"""Tags: on create, later, gone again, and as a filter."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from harness.aws import answer, refused
from harness.flows import ROLE, command

REGION = "us-east-1"
KINDS = ("workflow", "trigger", "job")


def create(glue: Any, kind: str, name: str, tags: dict[str, str]) -> None:
    """Creates an entity of a kind with tags; without any, the member is not sent."""
    given: dict[str, Any] = {"Name": name, **({"Tags": tags} if tags else {})}
    if kind == "workflow":
        glue.create_workflow(**given)
    elif kind == "trigger":
        glue.create_trigger(**given, Type="ON_DEMAND", Actions=[{"JobName": "J1"}])
    else:
        glue.create_job(**given, Role=ROLE, Command=command("s3://a/b.py"))


def delete(glue: Any, kind: str, name: str) -> None:
    """Deletes an entity."""
    member = "JobName" if kind == "job" else "Name"
    getattr(glue, f"delete_{kind}")(**{member: name})


def names(glue: Any, kind: str) -> Callable[..., list[str]]:
    """Gives the operation that lists the entities of a kind."""
    operation, member = {
        "workflow": (glue.list_workflows, "Workflows"),
        "trigger": (glue.list_triggers, "TriggerNames"),
        "job": (glue.list_jobs, "JobNames"),
    }[kind]
    return lambda **members: list(operation(**members)[member])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of entity that can be tagged."""
    found: str = request.param
    return found


@pytest.fixture
def arn(account: str, kind: str) -> str:
    """The ARN that clients build for an entity `e`."""
    return f"arn:aws:glue:{REGION}:{account}:{kind}/e"


def tags(glue: Any, arn: str) -> dict[str, str]:
    """Reads an entity's tags."""
    found: dict[str, str] = glue.get_tags(ResourceArn=arn)["Tags"]
    return found


def test_tags_are_kept_changed_and_taken_away(glue: Any, kind: str, arn: str) -> None:
    create(glue, kind, "e", {"team": "a", "empty": ""})
    assert tags(glue, arn) == {"team": "a", "empty": ""}
    assert answer(glue.tag_resource(ResourceArn=arn, TagsToAdd={"team": "b", "new": "1"})) == {}
    assert tags(glue, arn) == {"team": "b", "empty": "", "new": "1"}
    assert answer(glue.untag_resource(ResourceArn=arn, TagsToRemove=["empty", "never there"])) == {}
    assert tags(glue, arn) == {"team": "b", "new": "1"}


def test_an_entity_without_tags_has_none(glue: Any, kind: str, arn: str) -> None:
    create(glue, kind, "e", {})
    assert tags(glue, arn) == {}


def test_tags_go_with_their_entity(glue: Any, kind: str, arn: str) -> None:
    create(glue, kind, "e", {"team": "a"})
    delete(glue, kind, "e")
    assert refused(glue.get_tags, ResourceArn=arn)[0] == "EntityNotFoundException"
    create(glue, kind, "e", {})
    assert tags(glue, arn) == {}


def test_what_is_not_there_has_no_tags(glue: Any, arn: str) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = [
        (glue.get_tags, {}),
        (glue.tag_resource, {"TagsToAdd": {"a": "b"}}),
        (glue.untag_resource, {"TagsToRemove": ["a"]}),
    ]
    for call, members in calls:
        assert refused(call, ResourceArn=arn, **members)[0] == "EntityNotFoundException"


def test_lists_are_filtered_by_tags(glue: Any, kind: str) -> None:
    create(glue, kind, "a", {"team": "x", "stage": "dev"})
    create(glue, kind, "b", {"team": "x", "stage": ""})
    create(glue, kind, "c", {})
    listed = names(glue, kind)
    assert listed() == ["a", "b", "c"]
    if kind == "workflow":
        return  # AWS's ListWorkflows has no filter
    assert listed(Tags={"team": "x"}) == ["a", "b"]
    assert listed(Tags={"team": "x", "stage": "dev"}) == ["a"]
    assert listed(Tags={"stage": ""}) == ["b"]
    assert listed(Tags={"team": "y"}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "arn:aws:glue:us-east-1:{account}:workflow",
        "arn:aws:glue:us-east-1:{account}:spaceship/e",
        "arn:aws:glue:us-east-1",
    ],
)
def test_a_wrong_arn_is_refused(glue: Any, account: str, wrong: str) -> None:
    code, _ = refused(glue.get_tags, ResourceArn=wrong.format(account=account))
    assert code in ("InvalidInputException", "EntityNotFoundException")


def test_an_arn_of_another_service_is_a_validation_error(glue: Any) -> None:
    code, _ = refused(glue.get_tags, ResourceArn="arn:aws:s3:::bucket")
    assert code == "ValidationException"


def test_an_entity_has_at_most_fifty_tags(glue: Any, kind: str, arn: str) -> None:
    many = {f"k{number}": "" for number in range(51)}
    code, _ = refused(create, glue=glue, kind=kind, name="e", tags=many)
    assert code == "ValidationException"
    fifty = dict(list(many.items())[:50])
    create(glue, kind, "e", fifty)
    assert tags(glue, arn) == fifty
    code, _ = refused(glue.tag_resource, ResourceArn=arn, TagsToAdd={"one more": ""})
    assert code == "InvalidInputException"
    assert tags(glue, arn) == fifty


@pytest.mark.parametrize("key", ["aws:mine", "AWS:mine"])
def test_keys_of_aws_are_refused(glue: Any, kind: str, arn: str, key: str) -> None:
    create(glue, kind, "e", {})
    code, _ = refused(glue.tag_resource, ResourceArn=arn, TagsToAdd={key: "1"})
    assert code == "InvalidInputException"
    assert tags(glue, arn) == {}
