"""What is said of containers, and how one is kept from what it does not need."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engines import MEMORY_MIB_MAX, PROCESSES_MAX
from harness.flows import command
from harness.server import binary, clean_environment

from .jobs import HOLD, Jobs

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("engine", ["/nowhere/docker", "false"])
def test_a_worker_without_its_engine_does_not_start(engine: str, tmp_path: Path) -> None:
    line = [str(binary()), "worker", "--data-dir", str(tmp_path), "--executor", "container"]
    line += ["--container-engine", engine, "--image", "pythonshell=python"]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, 101)
    assert "container engine cannot be used" in done.stderr


@pytest.mark.parametrize("image", ["python", "pythonshell=", "=python", "pythonshell=--privileged"])
def test_an_image_for_nothing_is_refused(image: str, tmp_path: Path) -> None:
    line = [str(binary()), "worker", "--data-dir", str(tmp_path), "--executor", "container", "--image", image]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, 101)
    assert "--image" in done.stderr


def test_a_worker_without_any_image_does_not_start(tmp_path: Path) -> None:
    line = [str(binary()), "worker", "--data-dir", str(tmp_path), "--executor", "container"]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, 101)
    assert "needs an --image" in done.stderr


@pytest.fixture
def containers(executor: Any) -> Any:
    """The engine, where the executor has one."""
    if executor.name == "process":
        pytest.skip("processes have no engine")
    return executor


def test_a_job_without_an_image_says_what_to_configure(containers: Any, job: Jobs) -> None:
    run = job.start("", Command=command("file:///nowhere.py", "glueetl"), GlueVersion="5.0")
    assert containers.name
    path = job.folder / "spark.py"
    path.write_text("", encoding="utf-8")
    run.ended("FAILED")
    run = job.start("", Command=command(path.as_uri(), "glueetl"), GlueVersion="5.0")
    ended = run.ended("FAILED")
    assert "no image for the command glueetl 5.0" in ended["ErrorMessage"]


def test_a_container_has_nothing_that_it_does_not_need(containers: Any, job: Jobs) -> None:
    script = f"""
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
refused = []
for path in ("/etc/x", "/usr/x", "../x", "../script/x", "../libraries/x"):
    try:
        open(path, "w").close()
    except OSError as error:
        refused.append(error.errno)
open("/tmp/x", "w").close()
told = {{name: status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")}}
print(json.dumps([told, refused, os.getuid(), len(os.listdir("/proc"))]), flush=True)
{HOLD}"""
    run = job.start(script)
    run.begun()
    told, refused, user, _ = json.loads(run.output("--stdout").splitlines()[0])
    assert {told[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    assert len(refused) == 5
    assert user == 0, "the worker's own user, who here is root"

    (container,) = containers.containers()
    host, labels = container["HostConfig"], container["Config"]["Labels"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["Memory"] == MEMORY_MIB_MAX * 1024 * 1024
    assert host["PidsLimit"] == PROCESSES_MAX + 1
    assert host["NetworkMode"] == "host"
    assert labels["treenail.job-run"] == run.id
    assert labels["treenail.worker"] == (job.server.data_dir / "worker" / "worker-id").read_text(encoding="utf-8")
    assert int(labels["treenail.token"]) > 0
    job.glue.batch_stop_job_run(JobName=run.name, JobRunIds=[run.id])
    run.ended("STOPPED")
