"""A Python gRPC client, with stubs made from the repository's proto files."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from importlib.resources import files
from types import ModuleType

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from grpc_tools import protoc

from .server import REPOSITORY

PROTO = REPOSITORY / "proto"
STUBS = REPOSITORY / "tests" / ".cache" / "stubs"


@cache
def stubs(name: str) -> tuple[ModuleType, ModuleType]:
    """Gives the messages and the clients of a proto file, `treenail/glue/v1/workflow_service` say."""
    _generate()
    dotted = name.replace("/", ".")
    return importlib.import_module(f"{dotted}_pb2"), importlib.import_module(f"{dotted}_pb2_grpc")


@cache
def _generate() -> None:
    STUBS.mkdir(parents=True, exist_ok=True)
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    includes = [f"-I{PROTO}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"--python_out={STUBS}", f"--grpc_python_out={STUBS}"]
    assert protoc.main(["protoc", *includes, *outputs, *sources]) == 0, "protoc refuses the proto files"
    sys.path.insert(0, str(STUBS))


def reason(error: grpc.RpcError) -> str:
    """Gives the exception's AWS name, which the error's details carry."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    for detail in status.details:
        found = _error_info(detail)
        if found is not None:
            assert found.domain
            return str(found.reason)
    raise AssertionError(f"the error has no ErrorInfo: {error}")


def metadata(account: str) -> list[tuple[str, str]]:
    """Gives the metadata that names the caller's account and region."""
    return [("treenail-account", account), ("treenail-region", "us-east-1")]


def _error_info(detail: AnyMessage) -> ErrorInfo | None:
    info = ErrorInfo()
    return info if detail.Unpack(info) else None
