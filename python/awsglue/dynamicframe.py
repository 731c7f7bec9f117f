"""Dynamic frames: here a cover over Spark's data frames.

A dynamic frame of AWS's gives every record a schema of its own. Ours has the one schema of its data frame, so choice
types do not arise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from awsglue.context import GlueContext

# What `apply_mapping` takes: (source, source type, target, target type), or (source, target).
FieldMapping = Sequence[str]

# Glue's names of types that Spark calls differently.
_SPARK_TYPES = {"long": "bigint", "short": "smallint", "byte": "tinyint", "int": "int", "float": "float"}


class DynamicFrame:
    """Records with a schema, read from a source or made by a transform."""

    def __init__(self, data_frame: DataFrame, glue_ctx: GlueContext, name: str = "") -> None:
        self._data_frame = data_frame
        self.glue_ctx = glue_ctx
        self.name = name

    @classmethod
    def fromDF(  # noqa: N802 - the name that scripts call
        cls, dataframe: DataFrame, glue_ctx: GlueContext, name: str
    ) -> DynamicFrame:
        """Covers a data frame."""
        return cls(dataframe, glue_ctx, name)

    def toDF(self, options: Any | None = None) -> DataFrame:  # noqa: N802 - the name that scripts call
        """Gives the data frame."""
        if options:
            raise NotImplementedError("toDF takes no options here: a frame has one schema and no choice types")
        return self._data_frame

    def schema(self) -> Any:
        """Gives the schema, a Spark `StructType`."""
        return self._data_frame.schema

    def printSchema(self) -> None:  # noqa: N802 - the name that scripts call
        """Prints the schema."""
        self._data_frame.printSchema()

    def count(self) -> int:
        """Counts the records."""
        return int(self._data_frame.count())

    def show(self, num_rows: int = 20) -> None:
        """Prints the first records."""
        self._data_frame.show(num_rows, truncate=False)

    def repartition(self, num_partitions: int) -> DynamicFrame:
        """Spreads the records over so many partitions."""
        return self._with(self._data_frame.repartition(num_partitions))

    def coalesce(self, num_partitions: int) -> DynamicFrame:
        """Gathers the records in at most so many partitions, without moving them all."""
        return self._with(self._data_frame.coalesce(num_partitions))

    def select_fields(self, paths: Iterable[str]) -> DynamicFrame:
        """Keeps the named fields; a dot leads into a structure. Names that are not there are ignored."""
        known = [path for path in paths if self._knows(path)]
        return self._with(self._data_frame.select(*known))

    def drop_fields(self, paths: Iterable[str]) -> DynamicFrame:
        """Drops the named top-level fields. Names that are not there are ignored."""
        nested = [path for path in paths if "." in path]
        if nested:
            raise NotImplementedError(f"drop_fields drops top-level fields only, not {', '.join(nested)}")
        return self._with(self._data_frame.drop(*paths))

    def rename_field(self, old_name: str, new_name: str) -> DynamicFrame:
        """Renames a top-level field."""
        return self._with(self._data_frame.withColumnRenamed(old_name, new_name))

    def apply_mapping(self, mappings: Iterable[FieldMapping]) -> DynamicFrame:
        """Makes the fields that the mappings name, cast to their types, and drops all others.

        A mapping is `(source, source type, target, target type)` or `(source, target)`. A source that is not there
        gives no field; values that cannot be cast become null.
        """
        from pyspark.sql import functions

        columns = []
        for mapping in mappings:
            source, target, target_type = _read_mapping(mapping)
            if not self._knows(source):
                continue
            column = functions.col(source)
            if target_type is not None:
                column = column.cast(_SPARK_TYPES.get(target_type.lower(), target_type))
            columns.append(column.alias(target))
        return self._with(self._data_frame.select(*columns))

    def _with(self, data_frame: DataFrame) -> DynamicFrame:
        return DynamicFrame(data_frame, self.glue_ctx, self.name)

    def _knows(self, path: str) -> bool:
        fields: Any = self._data_frame.schema
        for part in path.split("."):
            if part not in getattr(fields, "names", ()):
                return False
            fields = fields[part].dataType
        return True


def _read_mapping(mapping: FieldMapping) -> tuple[str, str, str | None]:
    if len(mapping) == 4:
        return mapping[0], mapping[2], mapping[3]
    if len(mapping) == 2:
        return mapping[0], mapping[1], None
    raise ValueError(f"a mapping has two or four parts, not {len(mapping)}: {mapping!r}")
