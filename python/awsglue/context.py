"""The Glue context: a thin cover over a Spark session."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from awsglue.dynamicframe import DynamicFrame

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

    from awsglue.job import Job

_FILE_CONNECTIONS = ("s3", "file")
_FORMATS = ("avro", "csv", "json", "orc", "parquet")

# Glue's format options, and what Spark calls them.
_FORMAT_OPTIONS = {
    "withHeader": "header",
    "separator": "sep",
    "quoteChar": "quote",
    "escaper": "escape",
    "multiLine": "multiLine",
    "multiline": "multiLine",
}

# How Spark is told a file's age; it has millisecond steps.
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%f"
_TIME_STEP = datetime.timedelta(milliseconds=1)

# A file's time may lag behind the clock, by a tick of the kernel or by a server's clock: what is younger than this
# is left to the next run, so that no file falls between two runs.
_SETTLING_TIME = datetime.timedelta(seconds=1)


class GlueContext:
    """Reads and writes dynamic frames.

    `spark_context` may be a `SparkContext`, a `SparkSession`, or nothing for the session of the process. Raises
    `ImportError` when PySpark is not installed.
    """

    def __init__(self, spark_context: Any | None = None) -> None:
        self.spark_session: SparkSession = _session(spark_context)
        self.create_dynamic_frame = _Reader(self)
        self.write_dynamic_frame = _Writer(self)
        self._job: Job | None = None

    @property
    def spark_context(self) -> SparkContext:
        """The Spark context below the session."""
        return self.spark_session.sparkContext

    def attach_job(self, job: Job) -> None:
        """Lets sources that are read from now on keep their bookmarks in `job`; `Job.init` calls this."""
        self._job = job

    def get_logger(self) -> Any:
        """Gives a logger whose messages appear in the job run's output."""
        import logging

        return logging.getLogger("GlueLogger")

    def create_dynamic_frame_from_options(
        self,
        connection_type: str,
        connection_options: Mapping[str, Any] | None = None,
        format: str | None = None,  # noqa: A002 - the name that scripts pass
        format_options: Mapping[str, Any] | None = None,
        transformation_ctx: str = "",
        **unsupported: Any,
    ) -> DynamicFrame:
        """Reads files: connection type `s3` or `file`, `connection_options` with `paths` and perhaps `recurse`.

        Under an enabled bookmark and with a `transformation_ctx` it reads only the files that changed since the
        last commit. Raises `NotImplementedError` for what this package does not have.
        """
        _refuse(unsupported)
        reader = self.spark_session.read.format(_check(connection_type, format))
        for name, value in _spark_options(format_options).items():
            reader = reader.option(name, value)
        options = dict(connection_options or {})
        paths = options.pop("paths", None) or [options.pop("path")]
        if options.pop("recurse", False):
            reader = reader.option("recursiveFileLookup", "true")
        _refuse(options)
        for name, value in self._bookmark_options(transformation_ctx).items():
            reader = reader.option(name, value)
        return DynamicFrame(self._load(reader, list(paths)), self, transformation_ctx)

    def create_dynamic_frame_from_catalog(self, *_args: Any, **_options: Any) -> NoReturn:
        """Raises `NotImplementedError`: Treenail has no Data Catalog yet."""
        raise NotImplementedError("Treenail has no Data Catalog yet: read the files with from_options instead")

    def write_dynamic_frame_from_options(
        self,
        frame: DynamicFrame,
        connection_type: str,
        connection_options: Mapping[str, Any] | None = None,
        format: str | None = None,  # noqa: A002 - the name that scripts pass
        format_options: Mapping[str, Any] | None = None,
        transformation_ctx: str = "",
        **unsupported: Any,
    ) -> DynamicFrame:
        """Writes files below `connection_options["path"]`, in folders by `partitionKeys`; what is there stays."""
        _refuse(unsupported)
        options = dict(connection_options or {})
        path = options.pop("path")
        partition_keys: Sequence[str] = options.pop("partitionKeys", [])
        _refuse(options)
        writer = frame.toDF().write.format(_check(connection_type, format)).mode("append")
        if format == "csv" and "withHeader" not in (format_options or {}):
            writer = writer.option("header", "true")
        for name, value in _spark_options(format_options).items():
            writer = writer.option(name, value)
        if partition_keys:
            writer = writer.partitionBy(*partition_keys)
        writer.save(path)
        return frame

    def write_dynamic_frame_from_catalog(self, *_args: Any, **_options: Any) -> NoReturn:
        """Raises `NotImplementedError`: Treenail has no Data Catalog yet."""
        raise NotImplementedError("Treenail has no Data Catalog yet: write the files with from_options instead")

    def _bookmark_options(self, transformation_ctx: str) -> dict[str, str]:
        """Bounds a source to the files that changed since the last commit, and notes how far this run goes."""
        job = self._job
        if job is None or not job.reads_bookmark or not transformation_ctx:
            return {}
        end = datetime.datetime.now(datetime.timezone.utc) - _SETTLING_TIME
        options = {"modifiedBefore": end.strftime(_TIME_FORMAT)[:-3], "timeZone": "UTC"}
        after = job.get_state(transformation_ctx).get("modified_after")
        if after is not None:
            options["modifiedAfter"] = after
        # Both bounds are exclusive: a file of the very millisecond of `end` belongs to the next run, and only to that.
        job.set_state(transformation_ctx, {"modified_after": (end - _TIME_STEP).strftime(_TIME_FORMAT)[:-3]})
        return options

    def _load(self, reader: Any, paths: list[str]) -> DataFrame:
        from pyspark.errors import AnalysisException
        from pyspark.sql.types import StructType

        try:
            data_frame: DataFrame = reader.load(paths)
        except AnalysisException as error:
            # No file is left to tell the schema by: nothing is new since the bookmark.
            if "UNABLE_TO_INFER_SCHEMA" not in str(error):
                raise
            data_frame = self.spark_session.createDataFrame([], StructType([]))
        return data_frame


class _Reader:
    """What `glue_context.create_dynamic_frame.from_…` calls."""

    def __init__(self, context: GlueContext) -> None:
        self.from_options = context.create_dynamic_frame_from_options
        self.from_catalog = context.create_dynamic_frame_from_catalog


class _Writer:
    """What `glue_context.write_dynamic_frame.from_…` calls."""

    def __init__(self, context: GlueContext) -> None:
        self.from_options = context.write_dynamic_frame_from_options
        self.from_catalog = context.write_dynamic_frame_from_catalog


def _session(spark_context: Any | None) -> SparkSession:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ImportError("GlueContext needs PySpark: pip install pyspark") from error
    if isinstance(spark_context, SparkSession):
        return spark_context
    # A session picks up the process's Spark context, which is the one that the script made.
    return SparkSession.builder.getOrCreate()


def _check(connection_type: str, format_name: str | None) -> str:
    if connection_type not in _FILE_CONNECTIONS:
        raise NotImplementedError(f"connection type {connection_type!r}: only {', '.join(_FILE_CONNECTIONS)} are here")
    if format_name not in _FORMATS:
        raise NotImplementedError(f"format {format_name!r}: only {', '.join(_FORMATS)} are here")
    return format_name


def _spark_options(format_options: Mapping[str, Any] | None) -> dict[str, str]:
    options = dict(format_options or {})
    known = {name: options.pop(name) for name in list(options) if name in _FORMAT_OPTIONS}
    _refuse(options)
    return {_FORMAT_OPTIONS[name]: _text(value) for name, value in known.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse(options: Mapping[str, Any]) -> None:
    if options:
        raise NotImplementedError(f"awsglue in Treenail does not know the option {', '.join(sorted(options))}")
