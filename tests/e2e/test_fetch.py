"""Scripts that come from web servers, where the operator allows it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from harness.aws import client
from harness.flows import ROLE, command, job_run_ended
from harness.server import Server

SUBJECT = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
SUBJECT += ["-addext", "basicConstraints=critical,CA:FALSE"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine's loopback, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*made, *SUBJECT, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    return chain


def serve(folder: Path, certificate: Path | None) -> Iterator[str]:
    """Serves a folder on loopback."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_name("key.pem"))
            web.socket = context.wrap_socket(web.socket, server_side=True)
            scheme = "https"
        Thread(target=web.serve_forever, daemon=True).start()
        yield f"{scheme}://localhost:{web.server_address[1]}"
        web.shutdown()


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_script_lies_on_a_web_server(
    shape: str, tmp_path: Path, account: str, certificate: Path, encrypted: bool
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "a.py").write_text("print('from the web')", encoding="utf-8")
    trusted = {"SSL_CERT_FILE": str(certificate), "TREENAIL_ALLOW_HTTP": "true"}
    server = Server(shape, tmp_path / "server", environment=trusted)
    try:
        glue = client("glue", server.start().endpoint, account)
        for web in serve(scripts, certificate if encrypted else None):
            for name, path in {"there": "a.py", "absent": "b.py"}.items():
                glue.create_job(Name=name, Role=ROLE, Command=command(f"{web}/{path}"))
                run = glue.start_job_run(JobName=name)["JobRunId"]
                ended = job_run_ended(glue, name, run, "SUCCEEDED" if name == "there" else "FAILED")
                assert name == "there" or "it does not exist" in ended["ErrorMessage"]
    finally:
        server.kill()


def test_a_web_server_that_is_not_trusted_is_not_asked(
    shape: str, tmp_path: Path, account: str, certificate: Path
) -> None:
    server = Server(shape, tmp_path / "server", environment={"TREENAIL_ALLOW_HTTP": "true"})
    try:
        glue = client("glue", server.start().endpoint, account)
        for web in serve(tmp_path, certificate):
            glue.create_job(Name="j", Role=ROLE, Command=command(f"{web}/chain.pem"))
            ended = job_run_ended(glue, "j", glue.start_job_run(JobName="j")["JobRunId"], "FAILED")
            assert "no encrypted connection to localhost" in ended["ErrorMessage"]
    finally:
        server.kill()
