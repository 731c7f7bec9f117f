"""Requests that break one rule each, made from AWS's own model of its operations."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

# How deep rules are broken: the members of members, and no further.
DEPTH_MAX = 2
# Members whose content AWS leaves open, or that our contract carries as they are.
OPEN_MEMBERS = {"CodeGenConfigurationNodes"}
# A list that is not there is an empty one in gRPC's eyes: nothing is asked for, and nothing is answered.
LENIENT = {"BatchGetTriggers without TriggerNames", "BatchGetJobs without JobNames"}
OPERATIONS = [
    "CreateWorkflow UpdateWorkflow DeleteWorkflow GetWorkflow ListWorkflows BatchGetWorkflows",
    "StartWorkflowRun StopWorkflowRun ResumeWorkflowRun GetWorkflowRun GetWorkflowRuns",
    "GetWorkflowRunProperties PutWorkflowRunProperties",
    "CreateTrigger UpdateTrigger DeleteTrigger GetTrigger GetTriggers BatchGetTriggers ListTriggers",
    "StartTrigger StopTrigger",
    "CreateJob UpdateJob DeleteJob GetJob GetJobs BatchGetJobs ListJobs",
    "StartJobRun GetJobRun GetJobRuns BatchStopJobRun ResetJobBookmark GetJobBookmark",
    "TagResource UntagResource GetTags",
]
Case = tuple[str, str, Any]


def cases() -> Iterator[Case]:
    """Gives what is wrong, the target and the members."""
    model = botocore.session.get_session().get_service_model("glue")
    for operation in " ".join(OPERATIONS).split():
        shape = model.operation_model(operation).input_shape
        if shape is None:
            continue
        whole = sample(shape)
        for path, member in members(shape, ()):
            for what, value in wrong_values(member):
                yield f"{operation} {'.'.join(path)}: {what}", f"AWSGlue.{operation}", with_value(whole, path, value)
        for required in shape.required_members:
            if f"{operation} without {required}" in LENIENT:
                continue
            lacking = {name: value for name, value in whole.items() if name != required}
            yield f"{operation} without {required}", f"AWSGlue.{operation}", lacking


def members(shape: StructureShape, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Gives the members of a shape and of the structures in it."""
    for name, member in shape.members.items():
        if name in OPEN_MEMBERS:
            continue
        yield (*path, name), member
        if isinstance(member, StructureShape) and len(path) + 1 < DEPTH_MAX:
            yield from members(member, (*path, name))


def wrong_values(shape: Shape) -> Iterator[tuple[str, Any]]:
    """Gives values that are not of a shape, each with what is wrong about it."""
    right = {"string": str, "integer": int, "boolean": bool, "list": list, "map": dict, "structure": dict}
    kind = shape.type_name
    for name, value in {"a text": "x", "a number": 7, "a truth": True, "a list": [1], "a map": {"a": {"b": 1}}}.items():
        is_right = isinstance(value, right.get(kind, float)) and not (kind == "integer" and isinstance(value, bool))
        # What is in a list, a map or a structure is another matter, and numbers may be whole.
        if not is_right and not (kind in ("structure", "map") and isinstance(value, dict)) and kind not in ("double",):
            yield f"is {name}", value
    limits = shape.metadata
    if isinstance(shape, StringShape):
        yield from wrong_texts(shape, limits)
    elif isinstance(shape, ListShape):
        if "max" in limits:
            yield "has too many items", [sample(shape.member)] * (limits["max"] + 1)
    elif isinstance(shape, MapShape):
        if "max" in limits:
            key = "k" * 3
            yield "has too many keys", {f"{key}{number}": sample(shape.value) for number in range(limits["max"] + 1)}
    elif kind == "integer":
        yield "is beyond 64 bits", 2**70
        yield "is beyond 32 bits", 2**31
        yield "is not whole", 1.5
        if "min" in limits:
            yield "is too small", limits["min"] - 1
        if "max" in limits:
            yield "is too large", limits["max"] + 1


def wrong_texts(shape: StringShape, limits: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Gives texts that break a shape's rules."""
    if shape.enum:
        yield "is no word of the list", "NO_SUCH_WORD"
        return
    if "max" in limits:
        yield "is too long", "n" * (limits["max"] + 1)
    if limits.get("min", 0) > 0:
        yield "is empty", ""
    if "\\u0020-\\uD7FF" in limits.get("pattern", ""):
        yield "has a NUL", "n\0n"
        yield "has an escape", "n\x1b[31mn"


def with_value(whole: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Gives a request in which one member has another value."""
    changed = copy.deepcopy(whole)
    inner = changed
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value
    return changed


def sample(shape: Shape) -> Any:
    """Gives a small value of a shape, of things that are not there."""
    if isinstance(shape, StructureShape):
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [sample(shape.member)]
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "absent-thing"
    return {"integer": 1, "boolean": False, "double": 1.0}.get(shape.type_name, 1)
