"""Encryption: clients trust the server, and services prove themselves to each other."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from botocore.exceptions import SSLError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import wire
from harness.aws import client
from harness.certificates import Installation
from harness.flows import Flow
from harness.grpc_client import metadata, stubs
from harness.server import SPLIT, Server, binary, clean_environment, free_port
from harness.waiting import eventually

WITH_BOTO3 = """
import sys
import boto3
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
flow = {"Name": arguments["--WORKFLOW_NAME"], "RunId": arguments["--WORKFLOW_RUN_ID"]}
boto3.client("glue").put_workflow_run_properties(**flow, RunProperties={"from": "the job"})
"""


@pytest.fixture
def encrypted(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, everything of which is encrypted."""
    server = Server(shape, tmp_path / "server", trust=Installation(tmp_path / "certificates"))
    try:
        yield server.start()
        server.stop()
    finally:
        server.kill()


def trust(server: Server) -> Installation:
    assert server.trust is not None
    return server.trust


def refused(call: Any, *arguments: Any, **named: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, timeout=10, **named)
    return raised.value.code()


def test_a_workflow_runs_over_encrypted_connections(encrypted: Server, account: str, tmp_path: Path) -> None:
    glue = client("glue", encrypted.endpoint, account, authority=trust(encrypted).authority)
    flow = Flow(glue, tmp_path)
    flow.job("job", WITH_BOTO3)
    flow.starts_with("job")
    run = flow.run()
    run.ended()
    assert run.job_runs("job")[0]["JobRunState"] == "SUCCEEDED"
    assert run.properties() == {"from": "the job"}
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    with trust(encrypted).channel(encrypted.grpc_target) as channel:
        service = clients.WorkflowServiceStub(channel)
        answer = service.ListWorkflows(messages.ListWorkflowsRequest(), metadata=metadata(account), timeout=10)
    assert list(answer.workflows) == ["flow"]
    line = [str(binary()), "ls", "--grpc-endpoint", f"https://{encrypted.grpc_target}", "--account", account]
    environment = {**clean_environment(), "TREENAIL_CA": str(trust(encrypted).authority)}
    told = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert "flow" in told.stdout, told
    # The machine itself does not trust the authority.
    told = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 1
    assert "certificate" in told.stderr, told


def test_nobody_is_deceived(encrypted: Server, account: str, tmp_path: Path) -> None:
    stranger = Installation(tmp_path / "stranger")
    with pytest.raises(SSLError):
        client("glue", encrypted.endpoint, account, authority=stranger.authority).list_workflows()
    plain = encrypted.endpoint.replace("https", "http")
    with pytest.raises((OSError, wire.http.client.HTTPException)):
        wire.request(plain, "GET", "/healthz")
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    with grpc.insecure_channel(encrypted.grpc_target) as channel:
        service = clients.WorkflowServiceStub(channel)
        assert refused(service.ListWorkflows, messages.ListWorkflowsRequest()) == grpc.StatusCode.UNAVAILABLE
    # Whoever says nothing holds nobody up.
    host, port = encrypted.grpc_target.split(":")
    with socket.create_connection((host, int(port))):
        glue = client("glue", encrypted.endpoint, account, authority=trust(encrypted).authority)
        assert glue.list_workflows()["Workflows"] == []


def test_a_gateway_whose_certificate_is_not_taken_says_that_services_are_out_of_reach(
    mutual: Server, account: str, tmp_path: Path
) -> None:
    stranger = Installation(tmp_path / "stranger")
    own = ["--peer-cert", str(stranger.certificate("gateway")), "--peer-key", str(stranger.key("gateway"))]
    at, scheduler = f"127.0.0.1:{free_port()}", f"https://{mutual.scheduler_target}"
    services = [f"--{name}={scheduler}" for name in ("control-plane", "run-scheduler", "properties-store")]
    ports = ["--listen", at, "--grpc-listen", f"127.0.0.1:{free_port()}"]
    peer = [*own, "--peer-ca", str(trust(mutual).authority)]
    line = [str(binary()), "gateway", "--data-dir", str(tmp_path / "gateway"), *ports, *services, *peer]
    gateway = subprocess.Popen(line, env=clean_environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: reaches(at), "the gateway to listen")
        answer = wire.call(f"http://{at}", "AWSGlue.GetWorkflowRuns", {"Name": "flow"}, account)
    finally:
        gateway.kill()
        gateway.wait()
    assert (answer.status, answer.fault) == (503, "ServiceUnavailableException")


def reaches(target: str) -> bool:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return False
    return True


def test_whoever_asks_for_nothing_is_turned_away(encrypted: Server) -> None:
    host, port = encrypted.endpoint.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(trust(encrypted).authority))
    beginnings = [b"", b"PRI", b"GET /heal", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"]
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((host, int(port))))]
        for beginning in beginnings:
            plain = stack.enter_context(socket.create_connection((host, int(port))))
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(beginning)
            silent.append(connection)
        for connection in silent:
            connection.settimeout(15)
            # The server's own settings and a page of an error may come before the end.
            while connection.recv(4096):
                pass


def test_a_server_that_never_agrees_on_keys_cannot_be_reached(tmp_path: Path) -> None:
    authority = Installation(tmp_path).authority
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"https://127.0.0.1:{silent.getsockname()[1]}"
        line = [str(binary()), "ls", "workflows", "--grpc-endpoint", endpoint, "--ca", str(authority)]
        told = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=20, check=False)
    assert (told.returncode, "cannot be reached" in told.stderr) == (1, True), told


def test_a_new_certificate_is_shown_without_a_restart(encrypted: Server, account: str) -> None:
    installation = trust(encrypted)
    targets = [encrypted.grpc_target, encrypted.endpoint.removeprefix("https://")]
    if encrypted.shape == SPLIT:
        targets.append(encrypted.scheduler_target)
    before = [installation.shown_at(target) for target in targets]
    # Half of a change, and rubbish, change nothing.
    kept = installation.certificate("gateway").read_text(encoding="utf-8")
    installation.certificate("gateway").write_text("rubbish", encoding="utf-8")
    assert [installation.shown_at(target) for target in targets] == before
    installation.certificate("gateway").write_text(kept, encoding="utf-8")
    installation.renew()
    after = [installation.shown_at(target) for target in targets]
    assert not set(before) & set(after)
    glue = client("glue", encrypted.endpoint, account, authority=installation.authority)
    assert glue.list_workflows()["Workflows"] == []


@pytest.fixture
def mutual(tmp_path: Path) -> Iterator[Server]:
    """Services that prove themselves to each other, each a process."""
    server = Server(SPLIT, tmp_path / "server", trust=Installation(tmp_path / "certificates"))
    try:
        yield server.start()
    finally:
        server.kill()


def test_services_answer_only_to_each_other(mutual: Server, tmp_path: Path) -> None:
    installation, stranger = trust(mutual), Installation(tmp_path / "stranger")
    messages, clients = stubs("treenail/glue/v1/workflow_run_service")
    request = messages.GetWorkflowRunsRequest(name="flow")
    target = mutual.scheduler_target
    with installation.channel(target) as nobody, installation.channel(target, "gateway") as gateway:
        service = clients.WorkflowRunServiceStub(nobody)
        assert refused(service.GetWorkflowRuns, request) == grpc.StatusCode.UNAUTHENTICATED
        with_token = [("authorization", f"Bearer {installation.token}")]
        assert refused(service.GetWorkflowRuns, request, metadata=with_token) == grpc.StatusCode.UNAUTHENTICATED
        # A probe needs nothing, and a service is heard.
        answer = health_pb2_grpc.HealthStub(nobody).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        service = clients.WorkflowRunServiceStub(gateway)
        assert refused(service.GetWorkflowRuns, request) == grpc.StatusCode.NOT_FOUND
    # A certificate of another authority does not get as far as a connection, and the operator hears of it.
    credentials = grpc.ssl_channel_credentials(
        installation.authority.read_bytes(),
        stranger.key("gateway").read_bytes(),
        stranger.certificate("gateway").read_bytes(),
    )
    with grpc.secure_channel(target, credentials) as channel:
        service = clients.WorkflowRunServiceStub(channel)
        assert refused(service.GetWorkflowRuns, request) == grpc.StatusCode.UNAVAILABLE
    assert "the certificate of a caller is not taken" in mutual.log("run-scheduler")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_service_shows_its_certificate_each_time(mutual: Server, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(trust(mutual).authority))
    context.load_cert_chain(trust(mutual).certificate("gateway"), trust(mutual).key("gateway"))
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    host, port = mutual.scheduler_target.split(":")
    session = None
    # A session that is taken up again would be one whose certificate nobody looks at.
    for _ in range(2):
        plain = socket.create_connection((host, int(port)))
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert connection.recv(9)
            assert not connection.session_reused
            session = connection.session


def test_workers_register_with_a_token(mutual: Server) -> None:
    installation = trust(mutual)
    messages, clients = stubs("treenail/worker/v1/worker_service")
    hello = messages.WorkRequest(hello=messages.Hello(worker_id="9f4e0d8a-0000-4000-8000-000000000001", slots=1))

    def first(channel: grpc.Channel, token: str | None) -> Any:
        said = [("authorization", f"Bearer {token}")] if token else []
        stream = clients.WorkerServiceStub(channel).Work(iter([hello]), metadata=said, timeout=10)
        return next(iter(stream))

    with installation.channel(mutual.scheduler_target) as nobody:
        assert first(nobody, installation.token).HasField("welcome")
    # Jobs can read what their worker has.
    assert not [path for path in installation.folder.glob("worker/*") if path.name.startswith("tls")]
    # Neither another token nor a service's certificate makes a worker.
    with installation.channel(mutual.scheduler_target, "gateway") as channel:
        for token in (None, "x" * len(installation.token)):
            with pytest.raises(grpc.RpcError) as raised:
                first(channel, token)
            assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_worker_with_a_wrong_token_gets_no_work(mutual: Server, account: str, tmp_path: Path) -> None:
    glue = client("glue", mutual.endpoint, account, authority=trust(mutual).authority)
    flow = Flow(glue, tmp_path)
    flow.job("job")
    flow.starts_with("job")
    mutual.kill("worker")
    wrong = tmp_path / "wrong-token"
    wrong.write_text("y" * 32, encoding="utf-8")
    wrong.chmod(0o600)

    right = trust(mutual).token_file
    trust(mutual).token_file = wrong

    mutual.launch()
    run = flow.run()
    eventually(lambda: "takes the token of workers" in mutual.log("worker"), "the worker to be turned away")
    assert run.get()["Status"] == "RUNNING"
    mutual.kill("worker")
    trust(mutual).token_file = right
    mutual.launch()
    run.ended()


def test_what_is_configured_halfway_is_refused(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "certificates")
    certificate, key = str(installation.certificate("gateway")), str(installation.key("gateway"))
    (tmp_path / "open").write_text("x" * 32, encoding="utf-8")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "short").write_text("x", encoding="utf-8")
    (tmp_path / "short").chmod(0o600)
    scheduler, port = "run-scheduler", ["--listen", f"127.0.0.1:{free_port()}"]
    mutual = ["--peer-cert", certificate, "--peer-key", key, "--peer-ca", str(installation.authority)]
    for name, arguments, code, words in [
        ("serve", ["--tls-cert", certificate], 2, "--tls-key"),
        (scheduler, ["--peer-cert", certificate, "--peer-key", key], 2, "--peer-ca"),
        ("serve", ["--tls-cert", key, "--tls-key", key], 1, "no certificate"),
        ("serve", ["--tls-cert", certificate, "--tls-key", str(installation.key("control-plane"))], 1, "certificates"),
        (scheduler, [*port, *mutual], 78, "is not https://"),
        (scheduler, [*port, "--worker-token-file", str(tmp_path / "open")], 78, "everybody"),
        (scheduler, [*port, "--worker-token-file", str(tmp_path / "short")], 1, "a token is"),
    ]:
        line = [str(binary()), name, "--data-dir", str(tmp_path / "data"), *arguments]
        if name == "serve":
            line += ["--listen", f"127.0.0.1:{free_port()}", "--grpc-listen", f"127.0.0.1:{free_port()}"]
        told = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
        assert (told.returncode, words in told.stderr) == (code, True), (arguments, told)


def test_metrics_take_a_token_where_one_is_configured(tmp_path: Path) -> None:
    token = tmp_path / "admin-token"
    token.write_text("m" * 32, encoding="utf-8")
    token.chmod(0o600)
    server, address = Server("all-in-one", tmp_path / "server"), f"127.0.0.1:{free_port()}"
    server.arguments = {"serve": ["--admin-listen", address, "--admin-token-file", str(token)]}
    try:
        server.start()
        statuses = {
            (path, said): wire.request(f"http://{address}", "GET", path, headers={"Authorization": said}).status
            for path in ("/healthz", "/readyz", "/metrics")
            for said in ("", "Bearer no", f"Bearer {'m' * 32}")
        }
    finally:
        server.kill()
    expected = {key: 401 if key[0] == "/metrics" and "mm" not in key[1] else 200 for key in statuses}
    assert statuses == expected
