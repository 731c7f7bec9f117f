"""The example clients: each run as its README says, against a server without keys and against one with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness.server import ALL_IN_ONE, REPOSITORY, Server, binary, clean_environment

CLIENTS = REPOSITORY / "examples" / "clients"
PROGRAMS = {
    "python over grpc": ("python/over_grpc.py", "by Python"),
    "python over the sdk": ("python/over_aws_sdk.py", "by Python"),
    "typescript over grpc": ("typescript/dist/over_grpc.js", "by TypeScript"),
    "typescript over the sdk": ("typescript/dist/over_aws_sdk.js", "by TypeScript"),
}


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Builds what has to be built."""
    folder = CLIENTS / "typescript"
    environment = {**os.environ, "npm_config_loglevel": "error"}
    if not (folder / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-progress"], cwd=folder, env=environment, check=True)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=folder, env=environment, check=True)


def run(program: str, server: Server, environment: dict[str, str]) -> str:
    """Runs a program; gives what it prints."""
    interpreter = sys.executable if program.endswith(".py") else "node"
    target = server.grpc_target
    where = {"AWS_ENDPOINT_URL": server.endpoint, "TREENAIL_GRPC_ENDPOINT": target}
    done = subprocess.run(
        [interpreter, str(CLIENTS / program)],
        env=clean_environment() | where | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(output: str, program: str, said: str) -> None:
    """What the program saw is what happened."""
    assert "COMPLETED" in output, output
    assert said in output, output
    if "grpc" in program:
        assert "RUNNING: 1 running, 0 succeeded" in output, "the stream tells of what goes on"


@pytest.mark.parametrize(("program", "said"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_client_starts_watches_and_reads(server: Server, program: str, said: str) -> None:
    check(run(program, server, {}), program, said)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with keys, and one of them."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = str(folder / "keys.toml")
    line = [str(binary()), "keys", "create", "--credentials", keys, "--account", "123456789012"]
    made = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True).stdout
    server = Server(ALL_IN_ONE, folder / "server")
    server.arguments = {"serve": ["--credentials", keys]}
    try:
        yield server.start(), dict(line.split("=", 1) for line in made.splitlines())
    finally:
        server.kill()


@pytest.mark.parametrize(("program", "said"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_client_does_so_with_a_key(guarded: tuple[Server, dict[str, str]], program: str, said: str) -> None:
    server, key = guarded
    check(run(program, server, key), program, said)
