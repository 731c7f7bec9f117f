"""`GlueContext` and dynamic frames, on a real Spark session where PySpark is installed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="needs PySpark: pip install pyspark")

from pyspark.sql import SparkSession

from awsglue.context import GlueContext
from awsglue.dynamicframe import DynamicFrame
from awsglue.job import Job
from awsglue.transforms import ApplyMapping, DropFields, RenameField, SelectFields


@pytest.fixture(scope="module")
def context() -> Iterator[GlueContext]:
    """Makes a context over a small local session."""
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    yield GlueContext(session.sparkContext)
    session.stop()


@pytest.fixture
def orders(context: GlueContext) -> DynamicFrame:
    """Makes a small frame."""
    rows = [("1", "ann", 10.5), ("2", "bob", 4.0)]
    frame = context.spark_session.createDataFrame(rows, ["id", "customer", "amount"])
    return DynamicFrame.fromDF(frame, context, "orders")


def rows(frame: DynamicFrame) -> list[dict[str, Any]]:
    """Gives the records as dictionaries, ordered."""
    return sorted((row.asDict() for row in frame.toDF().collect()), key=repr)


def test_transforms_change_fields(orders: DynamicFrame) -> None:
    mapped = ApplyMapping.apply(orders, [("id", "string", "order_id", "long"), ("gone", "string", "gone", "string")])
    assert rows(mapped) == [{"order_id": 1}, {"order_id": 2}]
    assert SelectFields.apply(orders, ["id", "gone"]).toDF().columns == ["id"]
    assert DropFields.apply(orders, ["amount", "gone"]).toDF().columns == ["id", "customer"]
    assert RenameField.apply(orders, "id", "order").toDF().columns == ["order", "customer", "amount"]


def test_what_is_written_is_read_back(context: GlueContext, orders: DynamicFrame, tmp_path: Path) -> None:
    target = {"path": str(tmp_path / "out"), "partitionKeys": ["customer"]}
    context.write_dynamic_frame.from_options(orders, "s3", target, "csv")
    assert (tmp_path / "out" / "customer=ann").is_dir()
    source = {"paths": [str(tmp_path / "out")]}
    read = context.create_dynamic_frame.from_options("s3", source, "csv", {"withHeader": True})
    assert read.count() == 2


def test_a_bookmark_gives_each_file_once(context: GlueContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bookmark: dict[str, Any] = {}

    class Server:
        def call(self, target: str, members: dict[str, Any]) -> dict[str, Any]:
            if target == "Treenail.PutJobBookmark":
                bookmark.update(JobBookmark=members["JobBookmark"], Version=members["ExpectedVersion"] + 1)
            return {"JobBookmarkEntry": dict(bookmark)}

    monkeypatch.setattr("awsglue._service.Service.from_environment", Server)
    monkeypatch.setenv("AWS_GLUE_JOB_RUN_ID", "jr_1")

    def read() -> list[int]:
        job = Job(context)
        job.init("nightly", {"job_bookmark_option": "job-bookmark-enable"})
        frame = context.create_dynamic_frame.from_options(
            "file", {"paths": [str(tmp_path)]}, "json", transformation_ctx="source"
        )
        found = sorted(row["id"] for row in rows(frame))
        job.commit()
        return found

    def write(number: int, age_seconds: int) -> None:
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"id": number}), encoding="utf-8")
        written = path.stat().st_mtime - age_seconds
        os.utime(path, (written, written))

    write(1, age_seconds=60)
    assert read() == [1]
    assert read() == []
    write(2, age_seconds=0)
    found = read()
    while not found:  # the file is too young at first
        found = read()
    assert found == [2]
    assert read() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda context: context.create_dynamic_frame.from_catalog(database="d", table_name="t"),
        lambda context: context.create_dynamic_frame.from_options("mysql", {}, "csv"),
        lambda context: context.create_dynamic_frame.from_options("s3", {"paths": ["/x"]}, "xml"),
        lambda context: context.create_dynamic_frame.from_options("s3", {"paths": ["/x"], "groupFiles": "n"}, "csv"),
        lambda context: context.create_dynamic_frame.from_options("s3", {"paths": ["/x"]}, "csv", {"optimize": True}),
    ],
)
def test_what_is_not_there_says_so(context: GlueContext, call: Any) -> None:
    with pytest.raises(NotImplementedError):
        call(context)
