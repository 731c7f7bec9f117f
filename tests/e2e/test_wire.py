"""The protocol itself: what an answer looks like, and what becomes of input that no SDK would send."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import Any

import pytest

from harness import wire
from harness.server import Server

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ANSWER_SECONDS_MAX = 5.0
CREATE = "AWSGlue.CreateWorkflow"


def test_an_answer_has_the_form_of_aws(server: Server, account: str) -> None:
    answer = wire.call(server.endpoint, CREATE, {"Name": "w", "NoSuchMember": [1]}, account)
    assert (answer.status, answer.json) == (200, {"Name": "w"})
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"])
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "date" in answer.headers


def test_an_empty_answer_is_an_empty_object(server: Server, account: str) -> None:
    wire.call(server.endpoint, CREATE, {"Name": "w"}, account)
    run = wire.call(server.endpoint, "AWSGlue.StartWorkflowRun", {"Name": "w"}, account).json["RunId"]
    members = {"Name": "w", "RunId": run, "RunProperties": {"x": "1"}}
    answer = wire.call(server.endpoint, "AWSGlue.PutWorkflowRunProperties", members, account)
    assert (answer.status, answer.body) == (200, b"{}")


def test_an_error_has_the_form_of_aws(server: Server, account: str) -> None:
    answer = wire.call(server.endpoint, "AWSGlue.GetWorkflow", {"Name": "nowhere"}, account)
    assert answer.status == 400
    assert answer.json == {"__type": "EntityNotFoundException", "Message": "Entity not found"}
    assert answer.headers["x-amzn-errortype"] == "EntityNotFoundException"
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"])


def test_times_are_numbers_and_absent_members_are_absent(server: Server, account: str) -> None:
    wire.call(server.endpoint, CREATE, {"Name": "w", "Description": None}, account)
    run = wire.call(server.endpoint, "AWSGlue.StartWorkflowRun", {"Name": "w"}, account).json["RunId"]
    members = {"Name": "w", "IncludeGraph": True}
    answer = wire.call(server.endpoint, "AWSGlue.GetWorkflow", members, account)
    workflow = answer.json["Workflow"]
    assert set(workflow) <= {"Name", "DefaultRunProperties", "CreatedOn", "LastModifiedOn", "LastRun", "Graph"}
    assert isinstance(workflow["CreatedOn"], (int, float))
    assert abs(workflow["CreatedOn"] - time.time()) < 60
    assert workflow["DefaultRunProperties"] == {}
    assert workflow["LastRun"]["WorkflowRunId"] == run
    assert workflow["LastRun"]["WorkflowRunProperties"] == {}
    assert b"null" not in answer.body


@pytest.mark.parametrize(
    "content_type", ["application/x-amz-json-1.0", "application/json", "application/json; charset=utf-8"]
)
def test_other_names_of_json_are_taken(server: Server, account: str, content_type: str) -> None:
    answer = wire.call(server.endpoint, CREATE, {"Name": "w"}, account, {"Content-Type": content_type})
    assert answer.status == 200, answer


@pytest.mark.parametrize(
    ("target", "members", "message"),
    [
        (
            CREATE,
            {},
            "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        ),
        (
            CREATE,
            {"Name": ""},
            "1 validation error detected: Value '' at 'name' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "AWSGlue.StopWorkflowRun",
            {},
            "2 validation errors detected: "
            "Value null at 'name' failed to satisfy constraint: Member must not be null; "
            "Value null at 'runId' failed to satisfy constraint: Member must not be null",
        ),
        (
            "AWSGlue.ListWorkflows",
            {"MaxResults": 0},
            "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "AWSGlue.CreateTrigger",
            {"Name": "t", "Type": "ON_DEMAND", "Actions": [{"JobName": "a"}, {"JobName": "b", "Timeout": 0}]},
            "1 validation error detected: Value '0' at 'actions.2.member.timeout' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "AWSGlue.CreateTrigger",
            {
                "Name": "t",
                "Type": "EVENT",
                "WorkflowName": "w",
                "Actions": [{"JobName": "a"}],
                "EventBatchingCondition": {"BatchSize": 101, "BatchWindow": 901},
            },
            "2 validation errors detected: "
            "Value '101' at 'eventBatchingCondition.batchSize' failed to satisfy constraint: "
            "Member must have value less than or equal to 100; "
            "Value '901' at 'eventBatchingCondition.batchWindow' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
    ],
)  # fmt: skip
def test_shapes_are_checked_in_aws_words(
    server: Server, account: str, target: str, members: dict[str, Any], message: str
) -> None:
    answer = wire.call(server.endpoint, target, members, account)
    assert (answer.status, answer.fault) == (400, "ValidationException")
    assert answer.json["message"] == message


def test_an_enum_value_that_does_not_exist_is_named_with_those_that_do(server: Server, account: str) -> None:
    members = {"Name": "t", "Type": "WHENEVER", "Actions": [{"JobName": "a"}]}
    answer = wire.call(server.endpoint, "AWSGlue.CreateTrigger", members, account)
    assert (answer.status, answer.fault) == (400, "ValidationException")
    found = re.fullmatch(
        r"1 validation error detected: Value 'WHENEVER' at 'type' failed to satisfy constraint: "
        r"Member must satisfy enum value set: \[(.*)\]",
        answer.message,
    )
    assert found, answer.message
    assert set(found[1].split(", ")) == {"SCHEDULED", "CONDITIONAL", "ON_DEMAND", "EVENT"}


@pytest.mark.parametrize(
    "target",
    ["AWSGlue.CreateSession", "AWSGlue.NoSuchOperation", "AWSGlue.", "AWSGlue", "", "DynamoDB_20120810.GetItem",
     "awsglue.CreateWorkflow", "treenail.glue.v1.WorkflowService/CreateWorkflow", "Treenail.PublishPlans",
     "AWSGlue.PublishPlans", "x" * 4000, None],
)  # fmt: skip
def test_an_unknown_operation_is_answered_as_such(server: Server, account: str, target: str | None) -> None:
    answer = wire.request(server.endpoint, headers=wire.aws_headers(target, account), body=b"{}")
    assert answer.status in (400, 404)
    assert answer.fault == "UnknownOperationException"


WRONG_BODIES: dict[str, bytes] = {
    "truncated": b'{"Name": "w"',
    "empty list": b"[]",
    "text": b'"Name"',
    "null": b"null",
    "two values": b'{"Name": "w"} {"Name": "v"}',
    "trailing comma": b'{"Name": "w",}',
    "not UTF-8": b'{"Name": "\xff\xfe"}',
    "lone surrogate": b'{"Name": "\\ud800"}',
    "NaN": b'{"Name": "w", "MaxConcurrentRuns": NaN}',
    "number for text": b'{"Name": 5}',
    "object for text": b'{"Name": {"a": 1}}',
    "text for number": b'{"Name": "w", "MaxConcurrentRuns": "5"}',
    "fraction for an integer": b'{"Name": "w", "MaxConcurrentRuns": 1.5}',
    "number beyond its type": b'{"Name": "w", "MaxConcurrentRuns": 99999999999}',
    "number beyond all types": b'{"Name": "w", "MaxConcurrentRuns": 1e400}',
    "list for a map": b'{"Name": "w", "DefaultRunProperties": []}',
    "number in a map of text": b'{"Name": "w", "DefaultRunProperties": {"a": 1}}',
    "null in a map of text": b'{"Name": "w", "DefaultRunProperties": {"a": null, "b": 1}}',
    "deep in an unknown member": b'{"Name": "w", "X": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep and never closed": b"[" * 500_000,
    "deep objects": b'{"a":' * 100_000,
    "control character": b'{"Name": "a\x00b"}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "xml": b"<?xml version='1.0'?><Name>w</Name>",
}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_a_body_that_is_not_the_operations_is_refused(server: Server, account: str, body: bytes) -> None:
    begun = time.monotonic()
    answer = wire.call(server.endpoint, CREATE, body, account)
    assert time.monotonic() - begun < ANSWER_SECONDS_MAX
    assert (answer.status, answer.fault) == (400, "SerializationException")
    listed = wire.call(server.endpoint, "AWSGlue.ListWorkflows", {}, account)
    assert listed.json["Workflows"] == []


def test_no_body_is_an_empty_request(server: Server, account: str) -> None:
    assert wire.call(server.endpoint, "AWSGlue.ListWorkflows", b"", account).status == 200


def test_a_large_body_is_refused_before_it_is_read(server: Server, account: str) -> None:
    lines = ["POST / HTTP/1.1", f"Host: {server.endpoint[7:]}", f"Content-Length: {50 * 1024**3}"]
    lines += [f"{name}: {value}" for name, value in wire.aws_headers(CREATE, account).items()]
    status = _raw(server, "\r\n".join([*lines, "", '{"Name": "w"']).encode())
    assert status == 413


def test_a_large_body_without_a_length_is_refused(server: Server, account: str) -> None:
    lines = ["POST / HTTP/1.1", f"Host: {server.endpoint[7:]}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in wire.aws_headers(CREATE, account).items()]
    chunk = b"%x\r\n" % (1024 * 1024) + b" " * 1024 * 1024 + b"\r\n"
    status = _raw(server, "\r\n".join([*lines, "", ""]).encode(), chunk, 256)
    assert status == 413


def test_a_body_that_breaks_off_hurts_nobody(server: Server, account: str) -> None:
    lines = ["POST / HTTP/1.1", f"Host: {server.endpoint[7:]}", "Content-Length: 1000"]
    lines += [f"{name}: {value}" for name, value in wire.aws_headers(CREATE, account).items()]
    with socket.create_connection(("127.0.0.1", int(server.endpoint.rsplit(":", 1)[1])), 5) as connection:
        connection.sendall("\r\n".join([*lines, "", '{"Name": "w"']).encode())
    assert wire.call(server.endpoint, "AWSGlue.ListWorkflows", {}, account).json["Workflows"] == []


@pytest.mark.parametrize(
    "extra",
    [
        {"Host": "glue.evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_web_page_elsewhere_cannot_reach_the_server(server: Server, account: str, extra: dict[str, str]) -> None:
    answer = wire.call(server.endpoint, CREATE, {"Name": "w"}, account, extra)
    assert 400 <= answer.status < 500
    listed = wire.call(server.endpoint, "AWSGlue.ListWorkflows", {}, account)
    assert listed.json["Workflows"] == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_names_of_the_server_are_taken(server: Server, account: str, host: str) -> None:
    port = server.endpoint.rsplit(":", 1)[1]
    answer = wire.call(server.endpoint, "AWSGlue.ListWorkflows", {}, account, {"Host": f"{host}:{port}"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "signature",
    [
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 Credential=123456789012/20261120/US EAST/glue/aws4_request, SignedHeaders=a, Signature=b",
        "AWS4-HMAC-SHA256 " + "x" * 4000,
        "Bearer abc",
    ],
)
def test_a_garbled_signature_is_an_error_of_aws(server: Server, account: str, signature: str) -> None:
    headers = {**wire.aws_headers("AWSGlue.ListWorkflows", account), "Authorization": signature}
    answer = wire.request(server.endpoint, headers=headers, body=b"{}")
    assert 400 <= answer.status < 500, answer
    assert answer.fault in (
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    )


@pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", "test", "12345678901", "1234567890123"])
def test_other_access_keys_share_one_account(server: Server, key: str) -> None:
    name = f"shared by {key}"
    assert wire.call(server.endpoint, CREATE, {"Name": name}, key).status == 200
    arn = f"arn:aws:glue:us-east-1:000000000000:workflow/{name}"
    assert wire.call(server.endpoint, "AWSGlue.GetTags", {"ResourceArn": arn}, "other").json == {"Tags": {}}
    assert wire.call(server.endpoint, "AWSGlue.DeleteWorkflow", {"Name": name}, "000000000000").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("GET", "/no/such/page"), ("POST", "/no/such/page"),
     ("GET", "/_treenail/workflows/w/events"), ("POST", "/_treenail/workflows//events"), ("OPTIONS", "*")],
)  # fmt: skip
def test_other_requests_are_refused_without_harm(server: Server, method: str, path: str) -> None:
    assert 400 <= wire.request(server.endpoint, method, path).status < 500


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_server_says_that_it_is_well(server: Server, path: str) -> None:
    assert wire.request(server.endpoint, "GET", path).status == 200


def test_a_connection_serves_one_request_after_another(server: Server, account: str) -> None:
    body = json.dumps({"Name": "nowhere"}).encode()
    lines = ["POST / HTTP/1.1", f"Host: {server.endpoint[7:]}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in wire.aws_headers("AWSGlue.GetWorkflow", account).items()]
    one = "\r\n".join([*lines, "", ""]).encode() + body
    with socket.create_connection(("127.0.0.1", int(server.endpoint.rsplit(":", 1)[1])), 5) as connection:
        connection.settimeout(5)
        connection.sendall(one * 20)
        found = b""
        while found.count(b'EntityNotFoundException",') < 20:
            received = connection.recv(65536)
            assert received, found
            found += received


def _raw(server: Server, head: bytes, chunk: bytes = b"", times: int = 0) -> int:
    """Sends bytes as they are, and reads the status of the answer, which may come before all is sent."""
    with socket.create_connection(("127.0.0.1", int(server.endpoint.rsplit(":", 1)[1])), 5) as connection:
        connection.settimeout(10)
        connection.sendall(head)
        try:
            for _ in range(times):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has seen enough; its answer is on its way or lost with the connection
        try:
            line = connection.recv(65536).split(b"\r\n", 1)[0]
        except ConnectionResetError:
            return 413
    return int(line.split()[1])
