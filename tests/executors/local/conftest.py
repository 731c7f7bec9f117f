"""Fixtures: a server for each executor of this machine, whose worker is a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from engines import KINDS, MEMORY_MIB_MAX, PROCESSES_MAX
from harness.aws import client, new_account
from harness.server import SPLIT, Server

from .jobs import Jobs


def wanted() -> list[str]:
    """Names the executors of this machine to test: processes, unless `TREENAIL_TEST_EXECUTORS` says more."""
    named = os.environ.get("TREENAIL_TEST_EXECUTORS", "process").split(",")
    return [name for name in named if name in KINDS]


@pytest.fixture(scope="session", params=wanted())
def executor(request: pytest.FixtureRequest, engines: Callable[[str], Any]) -> Any:
    """What jobs run in."""
    return engines(request.param)


@pytest.fixture(scope="session")
def server(executor: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose worker has the executor, and whose clock only the tests move."""
    folder = tmp_path_factory.mktemp(executor.name)
    environment = {**executor.environment, "TREENAIL_LOG": "debug"}
    server = Server(SPLIT, folder, manual_clock=True, environment=environment)
    limits = ["--job-memory-mib-max", str(MEMORY_MIB_MAX), "--job-processes-max", str(PROCESSES_MAX)]
    server.arguments["worker"] = [*executor.arguments, *limits]
    try:
        yield server.start()
        server.stop()
        assert executor.left() == []
    finally:
        server.kill()


@pytest.fixture
def account() -> str:
    """The test's own account."""
    return new_account()


@pytest.fixture
def glue(server: Server, account: str) -> Any:
    """A boto3 client of the test's account."""
    return client("glue", server.endpoint, account)


@pytest.fixture
def job(server: Server, glue: Any, account: str, tmp_path: Path) -> Jobs:
    """Jobs of the test's account."""
    return Jobs(server, glue, account, tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Adds what the servers wrote to the report of a test that failed."""
    report = yield
    if report.failed:
        server = getattr(item, "funcargs", {}).get("server")
        if server is not None:
            report.sections.append(("server", server.logs()))
    return report
