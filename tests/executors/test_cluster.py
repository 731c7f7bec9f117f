"""The tests' own cluster, by Kubernetes' own client: what the executor is tried against speaks the protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from cluster.cluster import ADMIN, WORKER, Cluster
from conftest import PYTHON_IMAGE
from harness.waiting import eventually

pytestmark = [
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl (Debian: kubernetes-client)"),
    pytest.mark.usefixtures("ours"),
]
PATIENCE_SECONDS = 30


def job(name: str, script: str) -> dict[str, Any]:
    """A Job that a person might write."""
    user = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532}
    container = {
        "name": "main",
        "image": PYTHON_IMAGE,
        "command": ["sh", "-c", script],
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    pod = {"restartPolicy": "Never", "securityContext": user, "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"of": "a-person"}},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


@pytest.fixture
def kubectl(cluster: Cluster) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Kubernetes' own client, as an admin unless said otherwise."""

    def run(*arguments: str, given: Any = None, token: str = ADMIN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(cluster.kubeconfig(token)), *arguments],
            input=json.dumps(given) if given else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    return run


def test_a_job_is_created_watched_read_and_deleted(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], cluster: Cluster
) -> None:
    script = "echo one; sleep 0.3; echo two >&2; id -u; touch /etc/x; exit 3"
    created = kubectl("create", "--validate=false", "-f", "-", given=job("a", script))
    assert created.stdout == "job.batch/a created\n", created.stderr
    again = kubectl("create", "--validate=false", "-f", "-", given=job("a", script))
    assert "already exists" in again.stderr
    followed = kubectl("logs", "--follow", "--pod-running-timeout=10s", "job/a")
    assert sorted(followed.stdout.splitlines()[:3]) == ["65532", "one", "two"], followed.stderr
    assert "Read-only file system" in followed.stdout
    timed = kubectl("logs", "--timestamps", "--since-time=2020-01-01T00:00:00Z", "job/a")
    assert all(line[10] == "T" and line.split(" ")[0].endswith("Z") for line in timed.stdout.splitlines())
    assert kubectl("wait", "--for=condition=Failed", "job/a", "--timeout=10s").returncode == 0
    assert kubectl("get", "jobs", "-l", "of=a-person", "-o", "name").stdout == "job.batch/a\n"
    assert kubectl("get", "jobs", "-l", "of=another", "-o", "name").stdout == ""
    pod = json.loads(kubectl("get", "pods", "-o", "json").stdout)["items"][0]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert pod["metadata"]["ownerReferences"][0]["name"] == "a"
    # It waits until the object is gone, which in the foreground is after its pods.
    assert kubectl("delete", "job", "a", "--cascade=foreground").returncode == 0
    eventually(cluster.is_empty, "all of it to be gone")


def test_deleting_a_job_ends_its_pod(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], cluster: Cluster
) -> None:
    kubectl("create", "--validate=false", "-f", "-", given=job("b", "echo begun; sleep 60"))
    eventually(lambda: kubectl("logs", "job/b").stdout == "begun\n", "the pod to run")
    assert kubectl("delete", "job", "b", "--cascade=background").returncode == 0
    eventually(cluster.is_empty, "all of it to be gone")


def test_what_the_schemas_and_rights_do_not_allow_is_refused(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], cluster: Cluster
) -> None:
    wrong = job("c", "true")
    wrong["spec"]["backofLimit"] = 0
    assert "is invalid" in kubectl("create", "--validate=false", "-f", "-", given=wrong).stderr
    assert len(cluster.invalid()) == 1
    for arguments in (("get", "secrets"), ("delete", "pod", "x")):
        assert "forbidden" in kubectl(*arguments, token=WORKER).stderr.lower()
    assert kubectl("get", "jobs", token=WORKER).returncode == 0
    assert "must be logged in" in kubectl("get", "jobs", token="another").stderr
    assert "not found" in kubectl("get", "job", "none").stderr


def test_lists_have_pages_and_old_versions_are_gone(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], cluster: Cluster
) -> None:
    for number in range(5):
        kubectl("create", "--validate=false", "-f", "-", given=job(f"page-{number}", "true"))
    listed = kubectl("get", "jobs", "--chunk-size=2", "-o", "name").stdout.splitlines()
    assert listed == [f"job.batch/page-{number}" for number in range(5)]
    version = cluster.store.version
    kubectl("create", "--validate=false", "-f", "-", given=job("later", "true"))
    cluster.store.forget()
    path = f"/apis/batch/v1/namespaces/treenail-jobs/jobs?watch=1&resourceVersion={version}"
    assert json.loads(kubectl("get", "--raw", path).stdout)["object"]["reason"] == "Expired"
