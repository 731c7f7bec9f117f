"""The transforms as classes, the form that generated Glue scripts call them in."""

from __future__ import annotations

from collections.abc import Iterable

from awsglue.dynamicframe import DynamicFrame, FieldMapping

__all__ = ["ApplyMapping", "DropFields", "RenameField", "SelectFields"]


class ApplyMapping:
    """Renames, casts and selects fields."""

    @staticmethod
    def apply(frame: DynamicFrame, mappings: Iterable[FieldMapping], transformation_ctx: str = "") -> DynamicFrame:
        """Applies `DynamicFrame.apply_mapping`; a transform keeps no bookmark, so its context has no effect."""
        return frame.apply_mapping(mappings)


class DropFields:
    """Drops fields."""

    @staticmethod
    def apply(frame: DynamicFrame, paths: Iterable[str], transformation_ctx: str = "") -> DynamicFrame:
        """Applies `DynamicFrame.drop_fields`."""
        return frame.drop_fields(list(paths))


class RenameField:
    """Renames a field."""

    @staticmethod
    def apply(frame: DynamicFrame, old_name: str, new_name: str, transformation_ctx: str = "") -> DynamicFrame:
        """Applies `DynamicFrame.rename_field`."""
        return frame.rename_field(old_name, new_name)


class SelectFields:
    """Keeps fields."""

    @staticmethod
    def apply(frame: DynamicFrame, paths: Iterable[str], transformation_ctx: str = "") -> DynamicFrame:
        """Applies `DynamicFrame.select_fields`."""
        return frame.select_fields(paths)
