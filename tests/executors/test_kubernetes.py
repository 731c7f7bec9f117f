"""What only the kubernetes executor has to show: it goes on after its own death and the API server's, and is silent."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from cluster.cluster import Cluster
from cluster.real import RealCluster
from conftest import MISSING_IMAGE, START_TIMEOUT_SECONDS, in_cluster
from harness.aws import client
from harness.flows import job_run_ended
from harness.server import Server, binary, clean_environment
from harness.waiting import eventually
from scripts import Gate, Jobs
from test_suite import state_is, written

# Of Kubernetes, whose published schemas all must meet.
VERSIONS = ("1.29", "1.31", "1.33", "1.34", "1.35", "1.36", "1.37")
CANARY = "CaNaRy"


@pytest.fixture
def executor() -> str:
    """What runs the jobs."""
    return "kubernetes"


def kill(server: Server) -> None:
    """Kills the worker without a warning."""
    server.kill("worker")


def stop(server: Server) -> None:
    """Asks the worker to end, as a cluster does that updates it."""
    os.kill(server.pids["worker"], signal.SIGTERM)
    eventually(lambda: server.exit_code("worker") is not None, "the worker to end")
    assert server.exit_code("worker") == 0, server.log("worker")
    server.kill("worker")


def running(glue: Any, jobs: Jobs) -> tuple[Gate, str]:
    """Starts a job that waits at a gate, until it is known to run; gives the gate and the run."""
    gate = jobs.gate("j")
    run = jobs.start("j")
    gate.reached()
    state_is(glue, "j", run, "RUNNING")
    return gate, run


@pytest.mark.usefixtures("ours")
def test_objects_are_right_restricted_and_cleaned_up(glue: Any, jobs: Jobs, cluster: Cluster) -> None:
    three = jobs.keep("three-1.0-py3-none-any.whl", b"no wheel")
    jobs.add("j", "")
    jobs.add("with-modules", "", MaxCapacity=1.0)
    job_run_ended(glue, "j", jobs.start("j"))
    modules = {"--additional-python-modules": three}
    job_run_ended(glue, "with-modules", jobs.start("with-modules", Arguments=modules), "FAILED")
    assert cluster.invalid() == []
    created = cluster.all_created()
    assert [found["kind"] for found in created] == ["Job", "Secret"] * 2
    for found in created:
        for version in VERSIONS:
            kubernetes_validate.validate(found, version, strict=True)
    for found in (created[0], created[2]):
        spec = found["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec["initContainers"], *spec["containers"]]:
            context = container["securityContext"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
    limits = [found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] for found in created[::2]]
    assert limits == [{"cpu": "250m", "memory": "1024Mi"}, {"cpu": "4000m", "memory": "16384Mi"}]
    eventually(cluster.is_empty, "all of it to be cleaned up")


@pytest.mark.parametrize("end", [kill, stop])
def test_a_job_outlives_the_worker_and_runs_once(
    server: Server, glue: Any, jobs: Jobs, account: str, cluster: Cluster, end: Any
) -> None:
    gate, run = running(glue, jobs)
    end(server)
    assert len(cluster.jobs()) == 1
    server.start()
    eventually(lambda: "goes on with what it left there tasks=1" in server.log("worker"), "the job to be adopted")
    gate.open()
    found = job_run_ended(glue, "j", run)
    assert (gate.begun(), found["Attempt"]) == (1, 0)
    assert written(server, account, run).endswith("begun\nlet go\n")
    eventually(cluster.is_empty, "all of it to be cleaned up")


@pytest.mark.parametrize("end", [kill, stop])
def test_a_job_that_ends_while_there_is_no_worker_is_told_by_the_next(
    server: Server, glue: Any, jobs: Jobs, account: str, cluster: Cluster, end: Any
) -> None:
    gate, run = running(glue, jobs)
    end(server)
    gate.open(7)
    eventually(lambda: cluster.jobs()[0]["status"].get("failed"), "the Job to end")
    server.start()
    found = job_run_ended(glue, "j", run, "FAILED")
    assert (gate.begun(), found["ErrorMessage"]) == (1, "Command failed with exit code 7")
    assert "let go\n" in written(server, account, run)
    eventually(cluster.is_empty, "all of it to be cleaned up")


def test_a_job_that_was_stopped_while_there_was_no_worker_is_deleted_by_the_next(
    server: Server, glue: Any, jobs: Jobs, cluster: Cluster
) -> None:
    gate, run = running(glue, jobs)
    kill(server)
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run])
    server.start()
    job_run_ended(glue, "j", run, "STOPPED")
    eventually(cluster.is_empty, "all of it to be cleaned up")
    assert gate.begun() == 1


def test_a_job_that_was_given_up_is_deleted_by_a_worker_that_comes_back_late(
    server: Server, glue: Any, jobs: Jobs, cluster: Cluster
) -> None:
    gate, run = running(glue, jobs)
    kill(server)
    job_run_ended(glue, "j", run, "FAILED")
    assert len(cluster.jobs()) == 1
    server.start()
    eventually(cluster.is_empty, "all of it to be cleaned up")
    assert gate.begun() == 1


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("at_once", [False, True])
def test_a_job_goes_on_while_the_api_server_is_away(
    server: Server, glue: Any, jobs: Jobs, account: str, cluster: Cluster, at_once: bool
) -> None:
    gate, run = running(glue, jobs)
    cluster.go_away()
    gate.open()
    eventually(lambda: cluster.jobs()[0]["status"].get("succeeded"), "the Job to end")
    assert state_is(glue, "j", run, "RUNNING")
    # What happened meanwhile is not told to who asks for it from where it was.
    cluster.store.forget()
    cluster.come_back(forgets_at_once=at_once)
    job_run_ended(glue, "j", run)
    assert gate.begun() == 1
    assert written(server, account, run) == "begun\nlet go\n"
    eventually(cluster.is_empty, "all of it to be cleaned up")


def test_a_job_goes_on_while_kubernetes_own_api_server_is_dead(
    server: Server, glue: Any, jobs: Jobs, account: str, kubernetes_own: RealCluster
) -> None:
    gate, run = running(glue, jobs)
    kubernetes_own.go_away()
    gate.open()
    eventually(lambda: "cannot be watched" in server.log("worker"), "the worker to miss it")
    kubernetes_own.come_back()
    job_run_ended(glue, "j", run)
    assert gate.begun() == 1
    assert written(server, account, run) == "begun\nlet go\n"
    eventually(kubernetes_own.is_empty, "all of it to be cleaned up")


@pytest.mark.usefixtures("ours")
def test_a_job_is_created_and_stopped_once_the_api_server_is_well_again(
    glue: Any, jobs: Jobs, cluster: Cluster
) -> None:
    gate = jobs.gate("j")
    cluster.server.is_unwell.set()
    run = jobs.start("j")
    eventually(lambda: any(call.startswith("POST ") for call in cluster.calls()), "the worker to try")
    cluster.server.is_unwell.clear()
    gate.reached()
    cluster.server.is_unwell.set()
    asked = len(cluster.calls())
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run])
    eventually(lambda: any(call.startswith("DELETE ") for call in cluster.calls()[asked:]), "the worker to try")
    cluster.server.is_unwell.clear()
    job_run_ended(glue, "j", run, "STOPPED")
    assert len([found for found in cluster.all_created() if found["kind"] == "Job"]) == 1
    eventually(cluster.is_empty, "all of it to be cleaned up")


@pytest.mark.usefixtures("ours")
def test_a_worker_waits_for_the_api_server_before_it_takes_anything(
    server: Server, glue: Any, jobs: Jobs, cluster: Cluster
) -> None:
    gate, run = running(glue, jobs)
    kill(server)
    cluster.go_away()
    server.launch()
    eventually(lambda: "cannot be watched" in server.log("worker"), "the worker to say what it waits for")
    assert "connected to the run-scheduler" not in server.log("worker").split("the worker is ready")[-1]
    cluster.come_back()
    gate.open()
    job_run_ended(glue, "j", run)
    assert gate.begun() == 1


@pytest.mark.usefixtures("ours")
def test_output_is_whole_and_once_when_its_stream_breaks(
    server: Server, glue: Any, jobs: Jobs, account: str, cluster: Cluster
) -> None:
    cluster.server.log_bytes_max = 1_500
    script = "import time\nfor turn in range(60):\n    for line in range(5):\n        print(turn, line, 'x' * turn)\n"
    jobs.add("j", script + "    time.sleep(0.05)\n")
    run = jobs.start("j")
    job_run_ended(glue, "j", run)
    expected = "".join(f"{turn} {line} {'x' * turn}\n" for turn in range(60) for line in range(5))
    assert written(server, account, run) == expected
    assert len([call for call in cluster.calls() if "/log?" in call and "sinceTime" in call]) > 2


def test_a_job_without_an_image_fails_in_time_with_a_reason(glue: Any, jobs: Jobs, cluster: Cluster) -> None:
    jobs.add("j", "", python="3")
    run = job_run_ended(glue, "j", jobs.start("j"), "FAILED")
    late = f"The script did not start within {START_TIMEOUT_SECONDS} seconds: ImagePullBackOff: "
    assert late + f'Back-off pulling image "{MISSING_IMAGE}"' in run["ErrorMessage"]
    eventually(cluster.is_empty, "all of it to be cleaned up")
    run = job_run_ended(glue, "spark", start_spark(glue, jobs, "spark", "3.0"), "FAILED")
    assert "This worker has no image for the command glueetl 3.0" in run["ErrorMessage"]


def start_spark(glue: Any, jobs: Jobs, name: str, version: str) -> str:
    """Starts a job of Spark's, of a version of Glue."""
    location = jobs.keep(f"{name}.py", b"import sys\nprint(sys.argv)\nraise SystemExit(0)")
    command = {"Name": "glueetl", "ScriptLocation": location}
    members = {"GlueVersion": version, "WorkerType": "G.1X", "NumberOfWorkers": 2}
    glue.create_job(Name=name, Role="any", Command=command, **members)
    return jobs.start(name, Arguments={"--day": "monday"})


@pytest.mark.usefixtures("ours")
def test_a_spark_job_finds_the_spark_of_its_image(
    server: Server, glue: Any, jobs: Jobs, account: str, cluster: Cluster
) -> None:
    run = start_spark(glue, jobs, "with", "5.0")
    job_run_ended(glue, "with", run)
    text = written(server, account, run)
    assert "spark-submit --master local[*]\n" in text
    assert "'--day', 'monday'" in text
    assert "'--JOB_NAME', 'with'" in text
    spec = cluster.all_created()[0]["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["limits"] == {"cpu": "4000m", "memory": "16384Mi"}
    found = job_run_ended(glue, "without", start_spark(glue, jobs, "without", "4.0"), "FAILED")
    assert found["ErrorMessage"] == "ModuleNotFoundError: No module named 'pyspark'"


@pytest.mark.usefixtures("ours")
def test_what_the_cluster_does_to_a_pod_is_told(glue: Any, jobs: Jobs, cluster: Cluster) -> None:
    def begin(name: str) -> str:
        gate = jobs.gate(name)
        run = jobs.start(name)
        gate.reached()
        state_is(glue, name, run, "RUNNING")
        return run

    run = begin("evicted")
    cluster.kubelet.evict()
    found = job_run_ended(glue, "evicted", run, "FAILED")
    assert found["ErrorMessage"] == "The script's process was lost: Evicted: The node was low on resource: memory."

    run = begin("deleted")
    for job in cluster.jobs():
        cluster.store.remove("jobs", "treenail-jobs", job["metadata"]["name"])
    found = job_run_ended(glue, "deleted", run, "FAILED")
    assert found["ErrorMessage"] == "The script's process was lost: its Kubernetes Job was deleted"

    cluster.kubelet.is_out_of_memory.set()
    jobs.add("greedy", "import os\nos.kill(os.getpid(), 9)")
    found = job_run_ended(glue, "greedy", jobs.start("greedy"), "FAILED")
    assert found["ErrorMessage"] == "Command failed with exit code 10"
    assert "had more than 1024 MiB of memory" in found["StateDetail"]
    eventually(cluster.is_empty, "all of it to be cleaned up")


@pytest.mark.usefixtures("ours")
def test_what_the_api_server_refuses_is_told(glue: Any, jobs: Jobs, cluster: Cluster) -> None:
    jobs.add("j", "")
    cluster.server.rights.take_away("create", "secrets")
    found = job_run_ended(glue, "j", jobs.start("j"), "FAILED")
    reason = "The Kubernetes Job cannot be created: the Kubernetes API refuses it: secrets is forbidden"
    assert reason in found["ErrorMessage"]
    eventually(cluster.is_empty, "what was created to be cleaned up")


@pytest.fixture
def closed(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Server, str, dict[str, str]]]:
    """A server with keys that logs all that it can, the secret from which keys of jobs follow, and a key."""
    keys, job_key = tmp_path / "keys.toml", tmp_path / "job-key"
    line = [str(binary()), "keys", "create", "--credentials", str(keys), "--policy", "admin"]
    made = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True).stdout
    key = dict(line.split("=", 1) for line in made.splitlines())
    job_key.write_bytes(secrets.token_hex(32).encode())
    job_key.chmod(0o600)
    server = in_cluster(cluster, tmp_path / "server")
    server.environment["TREENAIL_LOG"] = "trace"
    server.arguments["worker"] += ["--job-key-file", str(job_key)]
    server.arguments["gateway"] = ["--credentials", str(keys), "--job-key-file", str(job_key)]
    try:
        yield server.start(), job_key.read_text(), key
        server.stop()
    finally:
        server.kill()


@pytest.mark.usefixtures("ours")
def test_no_secret_is_told(closed: tuple[Server, str, dict[str, str]], cluster: Cluster) -> None:
    server, job_key, key = closed
    glue, s3 = (with_key(service, server, key) for service in ("glue", "s3"))
    jobs = Jobs(glue, s3)
    planted = f"{CANARY}{secrets.token_hex(8)}"
    jobs.record("j", DefaultArguments={"--password": planted, "--customer-driver-env-vars": f"CUSTOMER_X={planted}"})
    job_run_ended(glue, "j", jobs.start("j"))
    seen = jobs.seen("j")
    assert planted in seen["argv"]
    assert seen["environment"]["CUSTOMER_X"] == planted
    # The job has credentials of its own.
    own = seen["environment"]["AWS_SECRET_ACCESS_KEY"]
    assert own != key["AWS_SECRET_ACCESS_KEY"]
    told = {"calls": "\n".join(cluster.calls()), "worker": (server.data_dir / "worker.log").read_text()}
    kept = []
    for number, found in enumerate(cluster.all_created()):
        if found["kind"] == "Secret":
            kept += [base64.b64decode(value).decode(errors="replace") for value in found["data"].values()]
        else:
            told[f"{found['kind']} {number}"] = json.dumps(found)
    for _, _, _, found in cluster.store.history:
        if "containers" in json.dumps(found):
            told[f"version {found['metadata']['resourceVersion']}"] = json.dumps(found)
    assert len(told["worker"]) > 10_000, "the worker was to say a lot"
    for secret in (planted, own, job_key, key["AWS_SECRET_ACCESS_KEY"]):
        assert [place for place, text in told.items() if secret in text] == []
    assert any(planted in text for text in kept)
    assert any(own in text for text in kept)
    assert not any(job_key in text for text in kept)


def with_key(service: str, server: Server, key: dict[str, str]) -> Any:
    """A client of a key's holder."""
    return client(service, server.endpoint, key["AWS_ACCESS_KEY_ID"], secret=key["AWS_SECRET_ACCESS_KEY"])
