"""Keys: nothing is answered but to their holders, and to them what their policies allow."""

from __future__ import annotations

import json
import secrets
import select
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from harness import wire
from harness.grpc_client import reason, stubs
from harness.server import ALL_IN_ONE, Server, binary, clean_environment, free_port
from harness.waiting import eventually

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
REGION = "eu-central-1"
JSON = "application/x-amz-json-1.1"
OWN_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["glue:Get*", "glue:Start*"], "Resource": "arn:aws:glue:*:*:workflow/mine-*"},
        {"Effect": "Deny", "Action": "glue:*", "Resource": "*/mine-secret"},
    ],
}


@dataclass
class Key:
    """A key that was made."""

    id: str
    secret: str

    def client(self, service: str, endpoint: str) -> Any:
        """Makes a boto3 client that signs with it."""
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=self.id,
            aws_secret_access_key=self.secret,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )


@dataclass
class Guarded:
    """A server that lets nobody in but holders of keys."""

    server: Server
    keys: Path
    audit: Path

    def command(self, *arguments: str) -> str:
        """Runs `treenail keys`."""
        line = [str(binary()), "keys", "--credentials", str(self.keys), *arguments]
        return subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True).stdout

    def make(self, policy: str, account: str = ACCOUNT, user: str = "ann") -> Key:
        """Makes a key."""
        made = self.command("create", "--account", account, "--user", user, "--policy", policy)
        found = dict(line.split("=", 1) for line in made.splitlines())
        return Key(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])

    def calls(self) -> list[dict[str, Any]]:
        """Reads the audit log."""
        return [json.loads(line) for line in self.audit.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def guarded(shape: str, tmp_path: Path) -> Iterator[Guarded]:
    """Such a server of the test's own."""
    server = Server(shape, tmp_path / "server")
    guarded = Guarded(server, tmp_path / "keys.toml", tmp_path / "audit.jsonl")
    guarded.make("admin", user="root")
    (tmp_path / "job-key").write_bytes(secrets.token_bytes(32))
    (tmp_path / "job-key").chmod(0o600)
    access = ["--credentials", str(guarded.keys), "--audit-log", str(guarded.audit)]
    job_key = ["--job-key-file", str(tmp_path / "job-key")]
    if shape == ALL_IN_ONE:
        server.arguments = {"serve": access}
    else:
        server.arguments = {"gateway": [*access, *job_key], "worker": job_key}
    try:
        server.start()
        yield guarded
    finally:
        server.kill()


def refusal(call: Any, **members: Any) -> tuple[str, str, int]:
    """Gives name, words and HTTP status of an exception."""
    with pytest.raises(ClientError) as raised:
        call(**members)
    response = raised.value.response
    return (
        response["Error"]["Code"],
        response["Error"].get("Message", ""),
        response["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_a_key_opens_its_account_and_no_other(guarded: Guarded) -> None:
    one = guarded.make("author").client("glue", guarded.server.endpoint)
    other = guarded.make("author", OTHER_ACCOUNT).client("glue", guarded.server.endpoint)
    one.create_workflow(Name="flow", DefaultRunProperties={"a": "b c"})
    assert other.list_workflows()["Workflows"] == []
    assert one.list_workflows()["Workflows"] == ["flow"]
    run = one.start_workflow_run(Name="flow")["RunId"]
    assert one.get_workflow_run_properties(Name="flow", RunId=run)["RunProperties"] == {"a": "b c"}


def test_refusals_are_those_of_aws(guarded: Guarded) -> None:
    endpoint = guarded.server.endpoint
    key = guarded.make("author")
    bare = wire.request(
        endpoint, "POST", "/", headers={"Content-Type": JSON, "X-Amz-Target": "AWSGlue.ListWorkflows"}, body=b"{}"
    )
    assert (bare.status, bare.fault) == (403, "MissingAuthenticationTokenException")
    garbled = wire.request(
        endpoint,
        "POST",
        "/",
        headers={"Content-Type": JSON, "X-Amz-Target": "AWSGlue.ListWorkflows", "Authorization": "AWS4-HMAC-SHA256 x"},
        body=b"{}",
    )
    assert (garbled.status, garbled.fault) == (403, "IncompleteSignatureException")
    wrong = Key(key.id, "wrong").client("glue", endpoint)
    assert refusal(wrong.list_workflows) == (
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
        403,
    )
    unknown = Key("AKIAIOSFODNN7EXAMPLE", key.secret).client("glue", endpoint)
    assert refusal(unknown.list_workflows) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        403,
    )
    # The digits of an account, which open everything on a server without keys.
    digits = Key(ACCOUNT, "any").client("glue", endpoint)
    assert refusal(digits.list_workflows)[0] == "UnrecognizedClientException"
    for hours, words in ((-1, "Signature expired"), (1, "Signature not yet current")):
        name, message, status = signed_at(endpoint, key, datetime.now(UTC) + timedelta(hours=hours))
        assert (name, status) == ("InvalidSignatureException", 403)
        assert message.startswith(words)


def signed_at(endpoint: str, key: Key, at: datetime) -> tuple[str, str, int]:
    """Sends a request that was signed at another time, by botocore's own signer."""
    request = AWSRequest(
        "POST", f"{endpoint}/", headers={"Content-Type": JSON, "X-Amz-Target": "AWSGlue.ListWorkflows"}
    )
    request.data = b"{}"
    signer = SigV4Auth(Credentials(key.id, key.secret), "glue", REGION)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    answer = wire.request(endpoint, "POST", "/", headers=dict(request.headers.items()), body=b"{}")
    return answer.fault, answer.message, answer.status


def test_a_changed_request_is_refused(guarded: Guarded) -> None:
    key = guarded.make("author")
    request = AWSRequest("POST", f"{guarded.server.endpoint}/", headers={"Content-Type": JSON}, data=b"{}")
    request.headers["X-Amz-Target"] = "AWSGlue.ListWorkflows"
    SigV4Auth(Credentials(key.id, key.secret), "glue", REGION).add_auth(request)
    headers = dict(request.headers.items())

    def send(change: dict[str, str], body: bytes = b"{}", path: str = "/") -> tuple[int, str]:
        answer = wire.request(guarded.server.endpoint, "POST", path, headers=headers | change, body=body)
        return answer.status, "" if answer.status == 200 else answer.fault

    assert send({}) == (200, "")
    assert send({}, b'{"MaxResults":1}') == (403, "InvalidSignatureException")
    assert send({"X-Amz-Target": "AWSGlue.DeleteWorkflow"}) == (403, "InvalidSignatureException")
    assert send({"X-Amz-Security-Token": "x"}) == (403, "IncompleteSignatureException")
    assert send({"Host": "elsewhere"}) == (403, "InvalidSignatureException")
    assert send({}, path="/?x=1") == (403, "InvalidSignatureException")


def test_policies_are_kept(guarded: Guarded, tmp_path: Path) -> None:
    endpoint = guarded.server.endpoint
    author = guarded.make("author").client("glue", endpoint)
    for name in ("mine-a", "mine-secret", "yours"):
        author.create_workflow(Name=name)
    viewer = guarded.make("viewer", user="eve").client("glue", endpoint)
    assert viewer.get_workflow(Name="yours")["Workflow"]["Name"] == "yours"
    assert refusal(viewer.start_workflow_run, Name="yours") == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: glue:StartWorkflowRun on resource: "
        f"arn:aws:glue:{REGION}:{ACCOUNT}:workflow/yours because no identity-based policy allows the "
        "glue:StartWorkflowRun action",
        400,
    )
    operator = guarded.make("operator").client("glue", endpoint)
    operator.start_workflow_run(Name="yours")
    assert refusal(operator.create_workflow, Name="no")[0] == "AccessDeniedException"
    (tmp_path / "policy.json").write_text(json.dumps(OWN_POLICY), encoding="utf-8")
    own = guarded.make(str(tmp_path / "policy.json")).client("glue", endpoint)
    own.start_workflow_run(Name="mine-a")
    for name in ("mine-secret", "yours"):
        assert refusal(own.start_workflow_run, Name=name)[0] == "AccessDeniedException"
    # What is refused has changed nothing, not even when it is not there.
    assert refusal(own.start_workflow_run, Name="other")[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("condition", "is_let_in"),
    [
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, False),
        ({"StringLike": {"aws:RequestedRegion": "eu-*", "aws:username": "ann"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ],
)
def test_policies_have_conditions(guarded: Guarded, tmp_path: Path, condition: dict[str, Any], is_let_in: bool) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    (tmp_path / "policy.json").write_text(json.dumps({"Statement": [statement]}), encoding="utf-8")
    glue = guarded.make(str(tmp_path / "policy.json")).client("glue", guarded.server.endpoint)
    if is_let_in:
        assert glue.list_workflows()["Workflows"] == []
    else:
        assert refusal(glue.list_workflows)[0] == "AccessDeniedException"


def test_revoked_keys_open_nothing(guarded: Guarded) -> None:
    key = guarded.make("author")
    glue = key.client("glue", guarded.server.endpoint)
    glue.list_workflows()
    assert key.id in guarded.command("list")
    assert key.secret not in guarded.command("list")
    guarded.command("revoke", key.id)
    eventually(lambda: is_refused(glue), "the key to be refused")


def is_refused(glue: Any) -> bool:
    try:
        glue.list_workflows()
    except ClientError as error:
        return str(error.response["Error"]["Code"]) == "UnrecognizedClientException"
    return False


def test_a_jobs_own_key_reaches_its_run(guarded: Guarded) -> None:
    endpoint = guarded.server.endpoint
    key = guarded.make("author")
    glue, s3 = key.client("glue", endpoint), key.client("s3", endpoint)
    s3.create_bucket(Bucket="scripts", CreateBucketConfiguration={"LocationConstraint": REGION})
    script = (
        "import os, sys, urllib.request\n"
        "values = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "key = os.environ['AWS_ACCESS_KEY_ID']\n"
        "assert key.startswith('TNJOB.111122223333.'), key\n"
        "sys.path[:0] = [values['--packages']]\n"
        "import boto3, botocore\n"
        "glue = boto3.client('glue')\n"
        "run = dict(Name=values['--WORKFLOW_NAME'], RunId=values['--WORKFLOW_RUN_ID'])\n"
        "glue.put_workflow_run_properties(**run, RunProperties={'said': 'by the job'})\n"
        "boto3.client('s3').put_object(Bucket='scripts', Key='out.txt', Body=b'done')\n"
        "try:\n    glue.delete_workflow(Name='flow')\n"
        "except botocore.exceptions.ClientError as error:\n"
        "    assert error.response['Error']['Code'] == 'AccessDeniedException'\n"
        "else:\n    raise SystemExit('a job must not delete workflows')\n"
    )
    s3.put_object(Bucket="scripts", Key="a.py", Body=script.encode())
    packages = str(Path(boto3.__file__).parents[1])
    glue.create_job(
        Name="j",
        Role="any",
        Command={"Name": "pythonshell", "PythonVersion": "3.9", "ScriptLocation": "s3://scripts/a.py"},
        DefaultArguments={"--packages": packages},
    )
    glue.create_workflow(Name="flow")
    glue.create_trigger(Name="s", WorkflowName="flow", Type="ON_DEMAND", Actions=[{"JobName": "j"}])
    run = glue.start_workflow_run(Name="flow")["RunId"]
    eventually(
        lambda: glue.get_workflow_run(Name="flow", RunId=run)["Run"]["Status"] == "COMPLETED", "the run to complete"
    )
    job_run = glue.get_job_runs(JobName="j")["JobRuns"][0]
    assert job_run["JobRunState"] == "SUCCEEDED", job_run
    assert glue.get_workflow_run_properties(Name="flow", RunId=run)["RunProperties"] == {"said": "by the job"}
    assert s3.get_object(Bucket="scripts", Key="out.txt")["Body"].read() == b"done"


def test_s3_checks_signatures_and_policies(guarded: Guarded) -> None:
    endpoint = guarded.server.endpoint
    key = guarded.make("author")
    s3 = key.client("s3", endpoint)
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket", Key="a b/c", Body=b"x" * 100_000)
    assert len(s3.get_object(Bucket="bucket", Key="a b/c")["Body"].read()) == 100_000
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "a b/c"}, ExpiresIn=60)
    path = url.removeprefix(endpoint)
    assert wire.request(endpoint, "GET", path).status == 200
    start, signature = path.rsplit("Signature=", 1)
    changed = f"{start}Signature={'1' if signature[0] == '0' else '0'}{signature[1:]}"
    assert wire.request(endpoint, "GET", changed).status == 403
    assert refusal(Key(key.id, "wrong").client("s3", endpoint).list_buckets)[0] == "SignatureDoesNotMatch"
    assert refusal(Key("AKIAX", "x").client("s3", endpoint).list_buckets)[0] == "InvalidAccessKeyId"
    viewer = guarded.make("viewer").client("s3", endpoint)
    assert refusal(viewer.get_object, Bucket="bucket", Key="a b/c")[0] == "AccessDenied"
    assert refusal(s3.put_object, Bucket="none", Key="x", Body=b"")[0] == "NoSuchBucket"
    told = [
        (call["eventName"], call["resource"], call["errorCode"], call["userIdentity"]["accessKeyId"])
        for call in guarded.calls()
        if call["eventName"].startswith("s3:")
    ]
    assert ("s3:PutObject", "arn:aws:s3:::bucket/a b/c", None, key.id) in told
    assert ("s3:GetObject", "arn:aws:s3:::bucket/a b/c", "403", viewer._request_signer._credentials.access_key) in told
    assert ("s3:PutObject", "arn:aws:s3:::none/x", "404", key.id) in told
    # Whoever has not proven anything is nobody.
    assert any(key_id is None and error == "403" for _, _, error, key_id in told)
    assert {call["sourceIPAddress"] for call in guarded.calls()} == {"127.0.0.1"}


def test_grpc_takes_a_key_as_a_token(guarded: Guarded) -> None:
    key = guarded.make("author")
    key.client("glue", guarded.server.endpoint).create_workflow(Name="flow")
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    with grpc.insecure_channel(guarded.server.grpc_target) as channel:
        stub = clients.WorkflowServiceStub(channel)

        def names(*metadata: tuple[str, str]) -> list[str]:
            region = ("treenail-region", REGION)
            return list(stub.ListWorkflows(messages.ListWorkflowsRequest(), metadata=[region, *metadata]).workflows)

        token = ("authorization", f"Bearer {key.id}:{key.secret}")
        assert names(token) == ["flow"]
        assert names(token, ("treenail-account", ACCOUNT)) == ["flow"]
        for metadata, expected in (
            ([], "MissingAuthenticationTokenException"),
            ([("authorization", "Basic x")], "IncompleteSignatureException"),
            ([("authorization", f"Bearer {key.id}:wrong")], "UnrecognizedClientException"),
            ([token, ("treenail-account", OTHER_ACCOUNT)], "AccessDeniedException"),
            ([("treenail-account", ACCOUNT)], "MissingAuthenticationTokenException"),
        ):
            with pytest.raises(grpc.RpcError) as raised:
                names(*metadata)
            assert reason(raised.value) == expected
    line = [str(binary()), "ls", "--grpc-endpoint", f"http://{guarded.server.grpc_target}", "--region", REGION]
    environment = clean_environment() | {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "flow" in done.stdout) == (0, True), done.stderr


def test_the_audit_log_tells_who_did_what_and_no_values(guarded: Guarded) -> None:
    endpoint = guarded.server.endpoint
    author, viewer = guarded.make("author"), guarded.make("viewer", user="eve")
    author.client("glue", endpoint).create_workflow(Name="flow", DefaultRunProperties={"password": "canary-value"})
    refusal(viewer.client("glue", endpoint).delete_workflow, Name="flow")
    refusal(Key("AKIAX", "canary-secret").client("glue", endpoint).list_workflows)
    made, refused, unknown = guarded.calls()[-3:]
    assert made["eventName"] == "glue:CreateWorkflow"
    assert made["userIdentity"] == {
        "arn": f"arn:aws:iam::{ACCOUNT}:user/ann",
        "accessKeyId": author.id,
        "accountId": ACCOUNT,
    }
    assert made["resource"] == f"arn:aws:glue:{REGION}:{ACCOUNT}:workflow/flow"
    assert (made["errorCode"], made["awsRegion"]) == (None, REGION)
    assert (refused["eventName"], refused["errorCode"]) == ("glue:DeleteWorkflow", "AccessDeniedException")
    assert refused["userIdentity"]["accessKeyId"] == viewer.id
    assert (unknown["userIdentity"]["arn"], unknown["errorCode"]) == (None, "UnrecognizedClientException")
    text = guarded.audit.read_text(encoding="utf-8")
    assert not any(secret in text for secret in ("canary", author.secret, viewer.secret))
    assert guarded.audit.stat().st_mode & 0o077 == 0


def test_whoever_hangs_up_is_in_the_audit_log_too(guarded: Guarded) -> None:
    key = guarded.make("author")
    host = guarded.server.endpoint.removeprefix("http://")
    for number in range(40):
        body = json.dumps({"Name": f"flow-{number}"}).encode()
        headers = {"Content-Type": JSON, "X-Amz-Target": "AWSGlue.CreateWorkflow", "Host": host}
        request = AWSRequest("POST", f"http://{host}/", headers=headers, data=body)
        SigV4Auth(Credentials(key.id, key.secret), "glue", REGION).add_auth(request)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join(["POST / HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]).encode()
        name, port = host.split(":")
        with socket.create_connection((name, int(port))) as connection:
            connection.sendall(head + body)
            # The connection is reset, sooner or later in the course of the call.
            select.select([connection], [], [], number / 5_000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    glue = key.client("glue", guarded.server.endpoint)

    def unwritten() -> set[str]:
        written = {line["resource"].rsplit("/", 1)[-1] for line in guarded.calls() if "Create" in line["eventName"]}
        made = glue.get_paginator("list_workflows").paginate().build_full_result()["Workflows"]
        assert made
        return set(made) - written

    eventually(lambda: not unwritten(), "all that was made to be in the audit log")


def test_events_are_signed_too(guarded: Guarded) -> None:
    key = guarded.make("author")
    glue = key.client("glue", guarded.server.endpoint)
    glue.create_workflow(Name="flow")
    glue.create_trigger(
        Name="t",
        WorkflowName="flow",
        Type="EVENT",
        EventBatchingCondition={"BatchSize": 1},
        Actions=[{"JobName": "none"}],
    )
    path = "/_treenail/workflows/flow/events"
    body = b'{"id": "1"}'
    request = AWSRequest(
        "POST", guarded.server.endpoint + path, headers={"Content-Type": "application/json"}, data=body
    )
    assert (
        wire.request(guarded.server.endpoint, "POST", path, headers=dict(request.headers.items()), body=body).status
        == 403
    )
    SigV4Auth(Credentials(key.id, key.secret), "glue", REGION).add_auth(request)
    answer = wire.request(guarded.server.endpoint, "POST", path, headers=dict(request.headers.items()), body=body)
    assert (answer.status, len(answer.json["RunIds"])) == (200, 1)


def test_a_file_of_keys_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("", encoding="utf-8")
    keys.chmod(0o644)
    line = [str(binary()), "serve", "--data-dir", str(tmp_path / "data"), "--credentials", str(keys)]
    line += ["--listen", f"127.0.0.1:{free_port()}", "--grpc-listen", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "chmod 640" in done.stderr


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_curls_own_signatures_count_over_either_http(guarded: Guarded, version: str) -> None:
    if shutil.which("curl") is None or "--aws-sigv4" not in subprocess.check_output(
        ["curl", "--help", "all"], text=True
    ):
        pytest.skip("needs a curl that signs")
    key = guarded.make("author")
    line = ["curl", "--silent", "--show-error", "--http1.1" if version == "1.1" else "--http2-prior-knowledge"]
    line += ["--aws-sigv4", f"aws:amz:{REGION}:glue", "--user", f"{key.id}:{key.secret}", "--data", "{}"]
    line += ["--header", "X-Amz-Target: AWSGlue.ListWorkflows", "--header", f"Content-Type: {JSON}"]
    line += ["--write-out", " %{http_code} %{http_version}", guarded.server.endpoint]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == f'{{"Workflows":[]}} 200 {version}'
