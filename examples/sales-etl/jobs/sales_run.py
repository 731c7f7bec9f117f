"""What the jobs share: the run that they belong to, its properties and its files."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import boto3

from awsglue.utils import getResolvedOptions

Row = dict[str, str]


class SalesRun:
    """A run of the workflow, as one of its jobs sees it.

    The jobs pass each other small values as run properties, through boto3 as on AWS, and tables as CSV files in a
    folder that belongs to the run.
    """

    def __init__(self) -> None:
        """Finds the run in the arguments that Glue gives to every job of a workflow."""
        args = getResolvedOptions(sys.argv, ["WORKFLOW_NAME", "WORKFLOW_RUN_ID"])
        self.run_id: str = args["WORKFLOW_RUN_ID"]
        self._run = {"Name": args["WORKFLOW_NAME"], "RunId": self.run_id}
        self._glue = boto3.client("glue", region_name=os.environ.get("AWS_REGION", "us-east-1"))
        self.properties: dict[str, str] = self._glue.get_workflow_run_properties(**self._run)["RunProperties"]
        self.folder = Path(self.properties["output"]) / self.run_id
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, **properties: object) -> None:
        """Hands values on to the jobs that follow; two underscores in a name stand for a dot."""
        named = {name.replace("__", "."): str(value) for name, value in properties.items()}
        self._glue.put_workflow_run_properties(**self._run, RunProperties=named)
        self.properties.update(named)

    def read(self, table: str) -> list[Row]:
        """Reads a table of the run."""
        return read_csv(self.folder / f"{table}.csv")

    def write(self, table: str, rows: Iterable[Row]) -> int:
        """Writes a table of the run, whole or not at all, and says how many rows it has."""
        return write_csv(self.folder / f"{table}.csv", list(rows))


def read_csv(path: Path) -> list[Row]:
    """Reads a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, rows: list[Row]) -> int:
    """Writes a CSV file with a header, beside its name first: a job that dies leaves no half of it."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)
    return len(rows)
