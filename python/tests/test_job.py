"""`Job`: what a run reads from its bookmark and what it leaves there."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from awsglue._service import Credentials, Service, ServiceError, sign
from awsglue.job import Job

ENABLE = {"job_bookmark_option": "job-bookmark-enable"}
PAUSE = {"job_bookmark_option": "job-bookmark-pause"}


class BookmarkServer(HTTPServer):
    """A server that keeps one bookmark, with the answers that Treenail gives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.entry: dict[str, Any] | None = None
        self.requests: list[tuple[str, str, dict[str, Any]]] = []

    def answer(self, target: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answers a call."""
        name = members.get("JobName")
        if target == "AWSGlue.GetJobBookmark":
            if self.entry is None:
                return 400, _fault("EntityNotFoundException", f"Continuation for job {name} not found")
            return 200, {"JobBookmarkEntry": self.entry}
        version = self.entry["Version"] if self.entry else 0
        if members["ExpectedVersion"] != version:
            message = f"Continuation update failed due to version mismatch. Found version {version}"
            return 400, _fault("VersionMismatchException", message)
        self.entry = {
            "JobName": name,
            "RunId": members["RunId"],
            "Version": version + 1,
            "Run": version + 1,
            "Attempt": 0,
            "JobBookmark": members["JobBookmark"],
        }
        return 200, {"JobBookmarkEntry": self.entry}


class _Handler(BaseHTTPRequestHandler):
    server: BookmarkServer

    def do_POST(self) -> None:
        members = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        target = self.headers["X-Amz-Target"]
        self.server.requests.append((target, self.headers["Authorization"], members))
        status, answer = self.server.answer(target, members)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Says nothing: a test's output is its result."""


def _fault(code: str, message: str) -> dict[str, str]:
    return {"__type": code, "Message": message}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BookmarkServer]:
    """Starts a server and gives this process a job's environment."""
    server = BookmarkServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_GLUE_JOB_RUN_ID", "jr_1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(args: dict[str, Any], ctx: str = "orders", state: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs a job once: gives the state that it found."""
    job = Job()
    job.init("nightly", args)
    found = job.get_state(ctx)
    if state is not None:
        job.set_state(ctx, state)
    job.commit()
    return found


def test_a_run_begins_where_the_last_commit_ended(server: BookmarkServer) -> None:
    assert run(ENABLE, state={"last_id": 7}) == {}
    assert run(ENABLE, state={"last_id": 9}) == {"last_id": 7}
    assert run(ENABLE) == {"last_id": 9}


def test_states_of_different_contexts_do_not_touch(server: BookmarkServer) -> None:
    run(ENABLE, "orders", {"last_id": 7})
    run(ENABLE, "customers", {"last_id": 1})
    assert run(ENABLE, "orders") == {"last_id": 7}


def test_a_bookmark_has_the_members_that_glue_writes(server: BookmarkServer) -> None:
    run(ENABLE, state={"last_id": 7})
    assert server.entry is not None
    assert json.loads(server.entry["JobBookmark"]) == {
        "job_name": "nightly",
        "run_id": "jr_1",
        "run_number": 1,
        "attempt_number": 0,
        "states": {"orders": {"last_id": 7}},
    }


def test_the_run_id_of_the_arguments_wins_over_the_environment(server: BookmarkServer) -> None:
    run({**ENABLE, "JOB_RUN_ID": "jr_2"}, state={})
    assert server.requests[-1][2]["RunId"] == "jr_2"


def test_a_disabled_bookmark_is_neither_read_nor_written(server: BookmarkServer) -> None:
    assert run({}, state={"last_id": 7}) == {}
    assert server.requests == []


def test_a_paused_bookmark_is_read_and_not_written(server: BookmarkServer) -> None:
    run(ENABLE, state={"last_id": 7})
    assert run(PAUSE, state={"last_id": 9}) == {"last_id": 7}
    assert run(ENABLE) == {"last_id": 7}


def test_of_two_runs_the_second_to_commit_is_refused(server: BookmarkServer) -> None:
    first, second = Job(), Job()
    first.init("nightly", ENABLE)
    second.init("nightly", ENABLE)
    second.commit()
    with pytest.raises(ServiceError) as raised:
        first.commit()
    assert raised.value.code == "VersionMismatchException"
    second.commit()


def test_requests_carry_the_account_and_the_region(server: BookmarkServer) -> None:
    run(ENABLE)
    assert {target for target, _, _ in server.requests} == {"AWSGlue.GetJobBookmark", "Treenail.PutJobBookmark"}
    for _, authorization, _ in server.requests:
        assert authorization.startswith("AWS4-HMAC-SHA256 Credential=123456789012/")
        assert "/eu-north-1/glue/aws4_request" in authorization


def test_without_a_server_an_enabled_bookmark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_GLUE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(RuntimeError, match="set AWS_ENDPOINT_URL_GLUE"):
        Job().init("nightly", ENABLE)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    unused = HTTPServer(("127.0.0.1", 0), _Handler)
    port = unused.server_port
    unused.server_close()
    service = Service(f"http://127.0.0.1:{port}", Credentials("k", "s", "us-east-1"))
    with pytest.raises(ServiceError, match="no answer from"):
        service.call("AWSGlue.GetJobBookmark", {"JobName": "nightly"})


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"job_bookmark_option": "on"}, RuntimeError, "unknown job bookmark option 'on'"),
        ({**PAUSE, "job_bookmark_from": "a", "job_bookmark_to": "b"}, NotImplementedError, "latest state only"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused(args: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Job().init("nightly", args)


def test_a_commit_before_init_is_refused() -> None:
    job = Job()
    assert not job.isInitialized()
    with pytest.raises(RuntimeError, match=r"before Job\.init"):
        job.commit()


def test_a_commit_without_a_run_is_refused(server: BookmarkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_GLUE_JOB_RUN_ID")
    with pytest.raises(RuntimeError, match="AWS_GLUE_JOB_RUN_ID is not set"):
        run(ENABLE)


def test_a_bookmark_has_a_limit(server: BookmarkServer) -> None:
    with pytest.raises(RuntimeError, match="larger than 1048576 bytes"):
        run(ENABLE, state={"ids": "x" * 1024 * 1024})


@pytest.mark.parametrize("token", [None, "a/session+token="])
@pytest.mark.parametrize("url", ["http://127.0.0.1:4570", "http://127.0.0.1:4570/"])
def test_signatures_are_those_of_botocore(url: str, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore")
    from botocore import auth, awsrequest, credentials

    now = datetime.datetime(2026, 11, 20, 12, 30, 45, tzinfo=datetime.timezone.utc)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Treenail.PutJobBookmark"}
    body = b'{"JobName":"nightly"}'
    ours = sign(url, headers, body, Credentials("AKIDEXAMPLE", "secret", "eu-north-1", token), now)
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_args, **_options: now)
    request = awsrequest.AWSRequest("POST", url, headers=headers, data=body)
    auth.SigV4Auth(credentials.Credentials("AKIDEXAMPLE", "secret", token), "glue", "eu-north-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
