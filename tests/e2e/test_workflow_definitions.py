"""Workflows: what is stored, what comes back, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.aws import answer, client, new_account, refused
from harness.flows import Flow, crawler_is, job_is
from harness.server import Server

NOT_FOUND = ("EntityNotFoundException", "Entity not found")


def test_a_workflow_comes_back_as_it_was_created(glue: Any) -> None:
    given = {
        "Name": "redshift workflow",
        "Description": "moves the day",
        "DefaultRunProperties": {"x": "1", "empty": ""},
        "MaxConcurrentRuns": 3,
    }
    assert answer(glue.create_workflow(**given, Tags={"team": "a"})) == {"Name": "redshift workflow"}
    workflow = glue.get_workflow(Name="redshift workflow")["Workflow"]
    assert workflow.pop("CreatedOn") == workflow.pop("LastModifiedOn")
    assert workflow == given


def test_nothing_comes_back_that_was_not_set(glue: Any) -> None:
    glue.create_workflow(Name="w")
    workflow = glue.get_workflow(Name="w")["Workflow"]
    assert set(workflow) == {"Name", "DefaultRunProperties", "CreatedOn", "LastModifiedOn"}
    assert workflow["DefaultRunProperties"] == {}


def test_an_update_replaces_the_whole_definition(glue: Any) -> None:
    glue.create_workflow(Name="w", Description="old", DefaultRunProperties={"x": "1"}, MaxConcurrentRuns=3)
    assert answer(glue.update_workflow(Name="w", Description="new")) == {"Name": "w"}
    workflow = glue.get_workflow(Name="w")["Workflow"]
    assert (workflow["Description"], workflow["DefaultRunProperties"]) == ("new", {})
    assert "MaxConcurrentRuns" not in workflow
    glue.update_workflow(Name="w", DefaultRunProperties={"y": "2"}, MaxConcurrentRuns=4)
    workflow = glue.get_workflow(Name="w")["Workflow"]
    assert "Description" not in workflow
    assert (workflow["DefaultRunProperties"], workflow["MaxConcurrentRuns"]) == ({"y": "2"}, 4)
    assert workflow["LastModifiedOn"] >= workflow["CreatedOn"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(glue: Any, limit: int) -> None:
    fault = ("InvalidInputException", "MaxConcurrentRuns should be greater than or equal to 1 if present.")
    assert refused(glue.create_workflow, Name="w", MaxConcurrentRuns=limit) == fault
    glue.create_workflow(Name="w")
    assert refused(glue.update_workflow, Name="w", MaxConcurrentRuns=limit) == fault


def test_a_name_is_taken_once(glue: Any) -> None:
    glue.create_workflow(Name="w")
    fault = ("AlreadyExistsException", "Workflow with name w already exists.")
    assert refused(glue.create_workflow, Name="w") == fault
    glue.create_workflow(Name="W")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_workflow", {}),
        ("update_workflow", {}),
        ("start_workflow_run", {}),
        ("stop_workflow_run", {"RunId": "wr_0"}),
        ("resume_workflow_run", {"RunId": "wr_0", "NodeIds": ["wnode_0"]}),
        ("get_workflow_run", {"RunId": "wr_0"}),
        ("get_workflow_runs", {}),
        ("get_workflow_run_properties", {"RunId": "wr_0"}),
        ("put_workflow_run_properties", {"RunId": "wr_0", "RunProperties": {"x": "1"}}),
    ],
)
def test_an_unknown_workflow_is_not_found(glue: Any, operation: str, members: dict[str, Any]) -> None:
    assert refused(getattr(glue, operation), Name="nowhere", **members) == NOT_FOUND


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("stop_workflow_run", {}),
        ("resume_workflow_run", {"NodeIds": ["wnode_0"]}),
        ("get_workflow_run", {}),
        ("get_workflow_run_properties", {}),
        ("put_workflow_run_properties", {"RunProperties": {"x": "1"}}),
    ],
)
@pytest.mark.parametrize("run_id", ["wr_0", "wr_" + "0" * 64, "not an id"])
def test_an_unknown_run_is_not_found(glue: Any, operation: str, members: dict[str, Any], run_id: str) -> None:
    glue.create_workflow(Name="w")
    assert refused(getattr(glue, operation), Name="w", RunId=run_id, **members) == NOT_FOUND


def test_a_run_is_found_under_its_own_workflow_only(glue: Any) -> None:
    glue.create_workflow(Name="w")
    glue.create_workflow(Name="other")
    run_id = glue.start_workflow_run(Name="w")["RunId"]
    assert refused(glue.get_workflow_run, Name="other", RunId=run_id) == NOT_FOUND
    assert refused(glue.get_workflow_run_properties, Name="other", RunId=run_id) == NOT_FOUND


def test_a_batch_tells_which_names_are_missing(glue: Any) -> None:
    for name in ("a", "b"):
        glue.create_workflow(Name=name)
    found = glue.batch_get_workflows(Names=["b", "nowhere", "a"])
    assert sorted(workflow["Name"] for workflow in found["Workflows"]) == ["a", "b"]
    assert found["MissingWorkflows"] == ["nowhere"]
    none = glue.batch_get_workflows(Names=["nowhere"])
    assert (none["Workflows"], none["MissingWorkflows"]) == ([], ["nowhere"])
    assert "Graph" in glue.batch_get_workflows(Names=["a"], IncludeGraph=True)["Workflows"][0]


def test_deleting_what_is_not_there_is_no_error(glue: Any) -> None:
    assert answer(glue.delete_workflow(Name="nowhere")) == {"Name": "nowhere"}


def test_deleting_a_workflow_deletes_its_triggers_and_keeps_its_jobs(flow: Flow) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    flow.glue.delete_workflow(Name="flow")
    assert refused(flow.glue.get_workflow, Name="flow") == NOT_FOUND
    assert flow.glue.list_triggers()["TriggerNames"] == []
    assert flow.glue.list_jobs()["JobNames"] == ["J1"]


def test_a_workflow_created_again_has_no_runs(flow: Flow) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    run = flow.run()
    run.ended()
    flow.glue.delete_workflow(Name="flow")
    flow.glue.create_workflow(Name="flow")
    assert flow.glue.get_workflow_runs(Name="flow")["Runs"] == []
    assert refused(flow.glue.get_workflow_run, Name="flow", RunId=run.id) == NOT_FOUND
    assert refused(flow.glue.get_workflow_run_properties, Name="flow", RunId=run.id) == NOT_FOUND
    assert "LastRun" not in flow.glue.get_workflow(Name="flow")["Workflow"]


def test_the_graph_is_there_when_asked_for(flow: Flow) -> None:
    flow.starts_with("J1", "J2")
    flow.when("joined", [job_is("J1"), job_is("J2")], "J3", {"CrawlerName": "C1"}, logical="AND")
    flow.when("crawled", [crawler_is("C1"), job_is("J3", "FAILED")], "J4", logical="ANY", activated=False)
    assert "Graph" not in flow.glue.get_workflow(Name="flow")["Workflow"]
    graph = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"]["Graph"]
    nodes = {node["Name"]: node for node in graph["Nodes"]}
    ids = {name: node["UniqueId"] for name, node in nodes.items()}
    assert {name: node["Type"] for name, node in nodes.items()} == {
        "start": "TRIGGER",
        "J1": "JOB",
        "J2": "JOB",
        "joined": "TRIGGER",
        "J3": "JOB",
        "C1": "CRAWLER",
        "crawled": "TRIGGER",
        "J4": "JOB",
    }
    edges = {(edge["SourceId"], edge["DestinationId"]) for edge in graph["Edges"]}
    wanted = ["start J1", "start J2", "J1 joined", "J2 joined", "joined J3", "joined C1"]
    wanted += ["C1 crawled", "J3 crawled", "crawled J4"]
    assert edges == {tuple(ids[name] for name in edge.split()) for edge in wanted}
    assert len(edges) == len(graph["Edges"])
    assert all(node_id.startswith("wnode_") and len(node_id) == 70 for node_id in ids.values())
    assert nodes["J1"]["JobDetails"] == {}
    assert nodes["C1"]["CrawlerDetails"] == {}
    trigger = nodes["joined"]["TriggerDetails"]["Trigger"]
    assert trigger == flow.glue.get_trigger(Name="joined")["Trigger"]
    assert nodes["crawled"]["TriggerDetails"]["Trigger"]["State"] == "CREATED"
    assert graph["Nodes"][0]["Name"] == "start", "the start trigger comes first"


def test_a_component_that_is_named_often_is_one_node(flow: Flow) -> None:
    flow.starts_with("J1")
    flow.when("a", [job_is("J1")], "J2")
    flow.when("b", [job_is("J1", "FAILED")], "J2")
    graph = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"]["Graph"]
    assert sorted(node["Name"] for node in graph["Nodes"]) == ["J1", "J2", "a", "b", "start"]
    assert len(graph["Edges"]) == 5


def test_an_empty_graph_has_no_nodes(flow: Flow) -> None:
    graph = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"].get("Graph", {})
    assert graph.get("Nodes", []) == []
    assert graph.get("Edges", []) == []


def test_node_ids_stay_the_same_in_every_graph(flow: Flow) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    run = flow.run()
    run.ended()
    workflow = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"]
    ids = [
        {node["Name"]: node["UniqueId"] for node in graph["Nodes"]}
        for graph in (workflow["Graph"], workflow["LastRun"]["Graph"], run.graph())
    ]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids[0].values())) == 2


def test_accounts_and_regions_do_not_see_each_other(server: Server, glue: Any, account: str) -> None:
    glue.create_workflow(Name="w", Description="here")
    for elsewhere in (
        client("glue", server.endpoint, new_account()),
        client("glue", server.endpoint, account, region="eu-north-1"),
    ):
        assert elsewhere.list_workflows()["Workflows"] == []
        assert refused(elsewhere.get_workflow, Name="w") == NOT_FOUND
        elsewhere.create_workflow(Name="w", Description="there")
        assert answer(elsewhere.delete_workflow(Name="w")) == {"Name": "w"}
    assert glue.get_workflow(Name="w")["Workflow"]["Description"] == "here"


@pytest.mark.parametrize("name", ["a", "n" * 255, "täglich ☕ 🚀", "tab\there", " leading"])
def test_names_may_be_long_and_of_any_script(glue: Any, name: str) -> None:
    glue.create_workflow(Name=name)
    assert glue.get_workflow(Name=name)["Workflow"]["Name"] == name
    assert glue.list_workflows()["Workflows"] == [name]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Name": "n" * 256},
            f"1 validation error detected: Value '{'n' * 256}' at 'name' failed to satisfy constraint: "
            "Member must have length less than or equal to 255",
        ),
        (
            {"Name": "new\nline"},
            "1 validation error detected: Value 'new\nline' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: "
            r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*",
        ),
    ],
)
def test_a_name_out_of_bounds_is_a_validation_error(glue: Any, members: dict[str, Any], message: str) -> None:
    assert refused(glue.create_workflow, **members) == ("ValidationException", message)
