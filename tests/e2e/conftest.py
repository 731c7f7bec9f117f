"""Fixtures: each shape of the server once for all tests, and each test in an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.aws import client, new_account
from harness.flows import Flow
from harness.scripts import Gate, Record
from harness.server import ALL_IN_ONE, SPLIT, Server


@pytest.fixture(scope="session", params=[ALL_IN_ONE, SPLIT])
def shape(request: pytest.FixtureRequest) -> str:
    """The server's shape: every test that needs a server runs with both."""
    return str(request.param)


def _serve(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def server(shape: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the clock of this machine."""
    yield from _serve(Server(shape, tmp_path_factory.mktemp(f"{shape}-system")))


@pytest.fixture(scope="session")
def manual_server(shape: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose clock only the tests move."""
    yield from _serve(Server(shape, tmp_path_factory.mktemp(f"{shape}-manual"), manual_clock=True))


@pytest.fixture
def account() -> str:
    """The test's own account."""
    return new_account()


@pytest.fixture
def glue(server: Server, account: str) -> Any:
    """A boto3 client of the test's account."""
    return client("glue", server.endpoint, account)


@pytest.fixture
def manual_glue(manual_server: Server, account: str) -> Iterator[Any]:
    """A boto3 client of the test's account on the server whose clock the tests move.

    Its triggers are deleted at the end: a schedule would go on firing whenever another test moves the clock.
    """
    glue = client("glue", manual_server.endpoint, account)
    yield glue
    for name in glue.list_triggers()["TriggerNames"]:
        glue.delete_trigger(Name=name)


@pytest.fixture
def flow(glue: Any, tmp_path: Path) -> Flow:
    """An empty workflow."""
    return Flow(glue, tmp_path)


@pytest.fixture
def manual_flow(manual_glue: Any, tmp_path: Path) -> Flow:
    """An empty workflow on the server whose clock the tests move."""
    return Flow(manual_glue, tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate at which scripts wait."""
    return Gate(tmp_path, "gate")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A record of what scripts see."""
    return Record(tmp_path, "record")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Adds what the servers wrote to the report of a test that failed."""
    report = yield
    if report.failed:
        for name in ("server", "manual_server"):
            server = getattr(item, "funcargs", {}).get(name)
            if server is not None:
                report.sections.append((name, server.logs()))
    return report
