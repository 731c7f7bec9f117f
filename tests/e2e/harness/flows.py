"""Workflows in few words, and their runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .scripts import exits
from .waiting import eventually

ROLE = "any"
ENDED_JOB_RUNS = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR")
ENDED_RUNS = ("COMPLETED", "STOPPED", "ERROR")
STATISTICS = ("Total", "Timeout", "Failed", "Stopped", "Succeeded", "Running", "Errored", "Waiting")


def command(script: str, name: str = "pythonshell") -> dict[str, str]:
    """Gives a job's Command."""
    return {"Name": name, "ScriptLocation": script, "PythonVersion": "3.9"}


def job_is(name: str, state: str = "SUCCEEDED") -> dict[str, str]:
    """Gives a condition on a job."""
    return {"LogicalOperator": "EQUALS", "JobName": name, "State": state}


def crawler_is(name: str, state: str = "SUCCEEDED") -> dict[str, str]:
    """Gives a condition on a crawler."""
    return {"LogicalOperator": "EQUALS", "CrawlerName": name, "CrawlState": state}


class Flow:
    """A workflow that a test builds; its scripts lie in the test's folder."""

    def __init__(self, glue: Any, folder: Path, name: str = "flow", **members: Any) -> None:
        self.glue = glue
        self.folder = folder
        self.name = name
        glue.create_workflow(Name=name, **members)

    def job(self, name: str, script: str | None = None, **members: Any) -> str:
        """Adds a pythonshell job; without a script it succeeds at once."""
        return add_job(self.glue, self.folder, name, script, **members)

    def starts_with(self, *actions: Any, name: str = "start", kind: str = "ON_DEMAND", **members: Any) -> str:
        """Adds the trigger that starts the workflow."""
        return self._trigger(name, kind, actions, members)

    def when(
        self,
        name: str,
        conditions: Sequence[dict[str, str]],
        *actions: Any,
        logical: str | None = None,
        activated: bool = True,
    ) -> str:
        """Adds a conditional trigger, ACTIVATED unless said otherwise."""
        predicate: dict[str, Any] = {"Conditions": list(conditions)}
        if logical is not None:
            predicate["Logical"] = logical
        members = {"Predicate": predicate, "StartOnCreation": activated}
        return self._trigger(name, "CONDITIONAL", actions, members)

    def run(self, **properties: str) -> Run:
        """Starts a run."""
        members = {"RunProperties": properties} if properties else {}
        return Run(self.glue, self.name, self.glue.start_workflow_run(Name=self.name, **members)["RunId"])

    def runs(self) -> list[Run]:
        """Gives all runs, the newest first."""
        found = self.glue.get_workflow_runs(Name=self.name)["Runs"]
        return [Run(self.glue, self.name, run["WorkflowRunId"]) for run in found]

    def resume(self, run: Run, *nodes: str) -> tuple[Run, list[str]]:
        """Resumes a run at the named nodes: gives the new run, and the names of the nodes that it restarted."""
        ids = [run.node(node)["UniqueId"] for node in nodes]
        answer = self.glue.resume_workflow_run(Name=self.name, RunId=run.id, NodeIds=ids)
        names = {node["UniqueId"]: node["Name"] for node in run.graph()["Nodes"]}
        return Run(self.glue, self.name, answer["RunId"]), [names[node] for node in answer["NodeIds"]]

    def _trigger(self, name: str, kind: str, actions: Sequence[Any], members: dict[str, Any]) -> str:
        listed = [{"JobName": action} if isinstance(action, str) else action for action in actions]
        self.glue.create_trigger(Name=name, WorkflowName=self.name, Type=kind, Actions=listed, **members)
        return name


class Run:
    """A run of a workflow."""

    def __init__(self, glue: Any, workflow: str, run_id: str) -> None:
        self.glue = glue
        self.workflow = workflow
        self.id = run_id

    def get(self, graph: bool = False) -> dict[str, Any]:
        """Reads the run."""
        found: dict[str, Any] = self.glue.get_workflow_run(Name=self.workflow, RunId=self.id, IncludeGraph=graph)["Run"]
        return found

    def graph(self) -> dict[str, Any]:
        """Reads the graph as it was, with the job runs in their nodes."""
        found: dict[str, Any] = self.get(graph=True)["Graph"]
        return found

    def ended(self, status: str = "COMPLETED") -> dict[str, Any]:
        """Waits until the run has ended, and checks how."""
        run = eventually(lambda: self._if_in(ENDED_RUNS), f"run {self.id} to end")
        assert run["Status"] == status, run
        return run

    def node(self, name: str) -> dict[str, Any]:
        """Reads a node."""
        nodes = {node["Name"]: node for node in self.graph()["Nodes"]}
        found: dict[str, Any] = nodes[name]
        return found

    def job_runs(self, job: str) -> list[dict[str, Any]]:
        """Reads the runs of a job in this run, the oldest first."""
        return job_runs(self.node(job))

    def states(self) -> dict[str, list[str]]:
        """Reads how each job's runs stand; a job that was never started has none."""
        jobs = [node for node in self.graph()["Nodes"] if node["Type"] == "JOB"]
        return {job["Name"]: [run["JobRunState"] for run in job_runs(job)] for job in jobs}

    def state(self, job: str, state: str) -> dict[str, Any]:
        """Waits until the newest run of a job is in a state, and gives it."""

        def probe() -> dict[str, Any] | None:
            runs = self.job_runs(job)
            return runs[-1] if runs and runs[-1]["JobRunState"] == state else None

        return eventually(probe, f"job {job} of run {self.id} to be {state}")

    def counts(self) -> dict[str, int]:
        """Reads the statistics that are not zero, by their first words."""
        return counts(self.get()["Statistics"])

    def properties(self) -> dict[str, str]:
        """Reads the run's properties."""
        found: dict[str, str] = self.glue.get_workflow_run_properties(Name=self.workflow, RunId=self.id)[
            "RunProperties"
        ]
        return found

    def stop(self) -> None:
        """Stops the run."""
        self.glue.stop_workflow_run(Name=self.workflow, RunId=self.id)

    def _if_in(self, statuses: Sequence[str]) -> dict[str, Any] | None:
        run = self.get()
        return run if run["Status"] in statuses else None


def job_runs(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Gives the job runs of a node, the oldest first; none when it was never started."""
    found: list[dict[str, Any]] = node.get("JobDetails", {}).get("JobRuns", [])
    return found


def counts(statistics: dict[str, int]) -> dict[str, int]:
    """Checks that all eight statistics are there, and gives those that are not zero."""
    assert set(statistics) == {f"{word}Actions" for word in STATISTICS}, statistics
    return {word: statistics[f"{word}Actions"] for word in STATISTICS if statistics[f"{word}Actions"]}


def add_job(glue: Any, folder: Path, name: str, script: str | None = None, **members: Any) -> str:
    """Creates a pythonshell job with a script in a folder; without one it succeeds at once."""
    path = folder / f"{name}.py"
    path.write_text(exits(0) if script is None else script, encoding="utf-8")
    glue.create_job(**{"Name": name, "Role": ROLE, "Command": command(path.as_uri()), **members})
    return name


def job_run(glue: Any, job: str, run_id: str) -> dict[str, Any]:
    """Reads a job run."""
    found: dict[str, Any] = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
    return found


def job_run_ended(glue: Any, job: str, run_id: str, state: str = "SUCCEEDED") -> dict[str, Any]:
    """Waits until a job run has ended, and checks how."""

    def probe() -> dict[str, Any] | None:
        run = job_run(glue, job, run_id)
        return run if run["JobRunState"] in ENDED_JOB_RUNS else None

    run = eventually(probe, f"job run {run_id} to end")
    assert run["JobRunState"] == state, run
    return run
