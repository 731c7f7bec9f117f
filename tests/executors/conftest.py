"""Fixtures: a cluster, servers whose workers run jobs there or on this machine, and jobs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from cluster.cluster import Cluster
from cluster.kubelet import IMAGE_ROOT
from cluster.real import RealCluster
from engines import KINDS
from harness.aws import client, new_account
from harness.server import SPLIT, Server, binary
from scripts import Jobs

STAGE_IMAGE, PYTHON_IMAGE = "registry.example.com/treenail:1", "registry.example.com/python:3.9"
SPARK_IMAGE = "registry.example.com/spark:3.5"
MISSING_IMAGE = "registry.example.com/missing:1"
START_TIMEOUT_SECONDS = 6
KUBERNETES = [
    "--executor=kubernetes",
    f"--kubernetes-image={STAGE_IMAGE}",
    f"--kubernetes-start-timeout-seconds={START_TIMEOUT_SECONDS}",
    f"--image=pythonshell={MISSING_IMAGE},pythonshell:3.9={PYTHON_IMAGE}",
    f"--image=glueetl:4.0={PYTHON_IMAGE}",
    f"--image=glueetl:5.0={SPARK_IMAGE}",
]


@pytest.fixture(scope="session")
def real_cluster() -> Iterator[RealCluster | None]:
    """Kubernetes' own API server and controllers, where the tests are told of them."""
    binaries = os.environ.get("TREENAIL_KUBERNETES_BINARIES")
    if binaries is None:
        yield None
        return
    with cluster_folder() as folder:
        found = RealCluster(Path(binaries), folder / "cluster", images_in(folder))
        yield found
        found.stop()


@pytest.fixture
def cluster(real_cluster: RealCluster | None) -> Iterator[Cluster | RealCluster]:
    """A cluster with some images."""
    if real_cluster is not None:
        yield real_cluster
        real_cluster.clear()
        return
    with cluster_folder() as folder:
        found = Cluster(folder / "cluster", images_in(folder))
        yield found
        found.stop()


@pytest.fixture
def ours(cluster: Cluster | RealCluster) -> None:
    """Leaves out what needs a cluster that does as a test wants it to."""
    if not isinstance(cluster, Cluster):
        pytest.skip("needs the tests' own cluster")


@pytest.fixture
def kubernetes_own(cluster: Cluster | RealCluster) -> RealCluster:
    """The cluster, where it is Kubernetes' own."""
    if not isinstance(cluster, RealCluster):
        pytest.skip("needs Kubernetes' own programs: TREENAIL_KUBERNETES_BINARIES")
    return cluster


@contextlib.contextmanager
def cluster_folder() -> Iterator[Path]:
    """A folder that pods may enter: pytest's own are the tests' user's alone, and pods have another."""
    folder = Path(tempfile.mkdtemp(prefix="treenail-cluster-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def images_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Treenail's image, one with the tests' Python, and one that has Spark as well."""
    images = {
        STAGE_IMAGE: {"folders": {"bin": binary().parent}, "path": ["bin"]},
        PYTHON_IMAGE: {
            "folders": {"python": Path(sys.base_prefix), "packages": Path(sysconfig.get_path("purelib"))},
            "path": ["python/bin"],
            "environment": {
                "PYTHONPATH": f"{IMAGE_ROOT}/packages",
                "LD_LIBRARY_PATH": f"{IMAGE_ROOT}/python/lib",
            },
        },
    }
    images[SPARK_IMAGE] = with_spark(images[PYTHON_IMAGE], folder / "spark")
    return images


def with_spark(image: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An image that has what looks like Spark, as images do that do not have pyspark as a package."""
    submit = folder / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    options = 'while [ "${1#--}" != "$1" ]; do echo "spark-submit $1 $2"; shift 2; done'
    submit.write_text(f'#!/bin/sh\n{options}\nexec "$PYSPARK_PYTHON" "$@"\n')
    submit.chmod(0o755)
    environment = image["environment"] | {"SPARK_HOME": f"{IMAGE_ROOT}/spark"}
    return {"folders": image["folders"] | {"spark": folder}, "path": image["path"], "environment": environment}


def in_cluster(cluster: Cluster | RealCluster, folder: Path, manual_clock: bool = False) -> Server:
    """A server, not started, whose worker runs jobs in a cluster."""
    server = Server(SPLIT, folder, manual_clock=manual_clock)
    server.environment = {"KUBECONFIG": str(cluster.kubeconfig())}
    server.arguments["worker"] = list(KUBERNETES)
    return server


def wanted() -> list[str]:
    """Names the executors to test: those that need nothing, unless `TREENAIL_TEST_EXECUTORS` says more."""
    return os.environ.get("TREENAIL_TEST_EXECUTORS", "process,kubernetes").split(",")


@pytest.fixture(scope="session")
def engines() -> Iterator[Callable[[str], Any]]:
    """Gives what runs jobs on this machine, by name; it is started when it is first asked for."""
    started: dict[str, Any] = {}

    def engine(name: str) -> Any:
        if name != "process" and (os.geteuid() != 0 or sys.platform != "linux"):
            pytest.skip("needs root, to start an engine")
        if name not in started:
            started[name] = KINDS[name]()
            started[name].start()
        return started[name]

    yield engine
    for found in started.values():
        found.stop()


@pytest.fixture(params=wanted())
def executor(request: pytest.FixtureRequest) -> str:
    """What runs the jobs."""
    return str(request.param)


@pytest.fixture
def manual_clock() -> bool:
    """Whether the server's clock is moved by the test."""
    return False


@pytest.fixture
def server(executor: str, manual_clock: bool, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server whose worker runs jobs as it is asked to."""
    if executor == "kubernetes":
        found = in_cluster(request.getfixturevalue("cluster"), tmp_path / "server", manual_clock)
    else:
        engine = request.getfixturevalue("engines")(executor)
        found = Server(SPLIT, tmp_path / "server", manual_clock=manual_clock, environment=engine.environment)
        found.arguments["worker"] = list(engine.arguments)
    try:
        yield found.start()
        found.stop()
    finally:
        found.kill()


@pytest.fixture
def account() -> str:
    """The test's own account."""
    return new_account()


@pytest.fixture
def glue(server: Server, account: str) -> Any:
    """A boto3 client of the test's account."""
    return client("glue", server.endpoint, account, attempts=4)


@pytest.fixture
def jobs(server: Server, glue: Any, account: str) -> Jobs:
    """The jobs of the test."""
    return Jobs(glue, client("s3", server.endpoint, account, attempts=4))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Adds what the server wrote to the report of a test that failed, and what is in the cluster."""
    report = yield
    if report.failed:
        arguments = getattr(item, "funcargs", {})
        if "server" in arguments:
            report.sections.append(("server", arguments["server"].logs()))
        if "cluster" in arguments:
            found = arguments["cluster"]
            objects = [*found.store.all("jobs"), *found.store.all("pods")]
            told = [{"metadata": one["metadata"], "status": one.get("status")} for one in objects]
            report.sections.append(("cluster", "\n".join(map(str, [*told, *found.invalid()]))))
    return report
