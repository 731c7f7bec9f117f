"""The example clients: each as its README says, against servers without keys, with keys, and with keys and TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.certificates import Installation
from harness.server import ALL_IN_ONE, REPOSITORY, Server, binary, clean_environment

CLIENTS = REPOSITORY / "examples" / "clients"
# Where tests/clients/setup.sh puts Go.
GO = REPOSITORY / "tests" / ".cache" / "clients" / "go"
# `all` where nothing may be skipped: what tests/run.sh clients sets, which gets Go and compiles for minutes.
WHICH = os.environ.get("TREENAIL_CLIENTS", "")

# A build of Go or TypeScript counts towards the test that asks for it first.
pytestmark = pytest.mark.timeout(900)

# By language: what it says of itself, and its two programs.
LANGUAGES = {
    "python": ("by Python", ["over_grpc.py", "over_aws_sdk.py"]),
    "typescript": ("by TypeScript", ["dist/over_grpc.js", "dist/over_aws_sdk.js"]),
    "go": ("by Go", ["bin/over_grpc", "bin/over_aws_sdk"]),
    "rust": ("by Rust", ["target/debug/over_grpc", "target/debug/over_aws_sdk"]),
}
PROGRAMS = [f"{language}/{program}" for language, (_, programs) in LANGUAGES.items() for program in programs]


def build_typescript() -> None:
    """Compiles, with the packages of the lock file."""
    folder = CLIENTS / "typescript"
    environment = {**os.environ, "npm_config_loglevel": "error"}
    if not (folder / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-progress"], cwd=folder, env=environment, check=True)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=folder, env=environment, check=True)


def build_go() -> None:
    """Compiles, with Go and the libraries of Debian's packages."""
    if WHICH != "all" and not (GO / "bin" / "go").exists():
        pytest.skip("Go is not there: tests/run.sh clients gets it")
    environment = {
        **os.environ,
        "PATH": f"{GO / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PROTOC": f"{sys.executable} -m grpc_tools.protoc",
        "DEBIAN_GOPATH": str(GO / "usr" / "share" / "gocode"),
        "GOTOOLCHAIN": "local",
    }
    subprocess.run(["./build.sh", "--debian"], cwd=CLIENTS / "go", env=environment, check=True)


def build_rust() -> None:
    """Compiles."""
    if WHICH != "all":
        pytest.skip("Rust compiles for minutes: tests/run.sh clients")
    line = ["cargo", "build", "--locked", "--features", "aws-sdk", "--target-dir", "target"]
    subprocess.run(line, cwd=CLIENTS / "rust", check=True)


@pytest.fixture(scope="module")
def built() -> Callable[[str], None]:
    """Builds what a program needs, once; skips the test where that cannot be had."""
    builds = {"typescript": build_typescript, "go": build_go, "rust": build_rust}
    done: set[str] = {"python"}

    def build(program: str) -> None:
        language = program.partition("/")[0]
        if language not in done:
            builds[language]()
            done.add(language)

    return build


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a program."""
    interpreter = {".py": [sys.executable], ".js": ["node"]}.get(Path(program).suffix, [])
    return subprocess.run(
        [*interpreter, str(CLIENTS / program)],
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def where(server: Server) -> dict[str, str]:
    """Tells a program where a server is."""
    scheme, _, _ = server.endpoint.partition("://")
    return {"AWS_ENDPOINT_URL": server.endpoint, "TREENAIL_GRPC_ENDPOINT": f"{scheme}://{server.grpc_target}"}


def check(program: str, environment: dict[str, str]) -> None:
    """What the program saw is what happened."""
    done = run(program, environment)
    output = done.stdout
    assert done.returncode == 0, output + done.stderr
    assert LANGUAGES[program.partition("/")[0]][0] in output, output
    if "grpc" not in program:
        assert "COMPLETED: 0 running, 1 succeeded" in output, output
        return
    told = ["RUNNING: ", "step 1 of 3", "step 2 of 3", "step 3 of 3", "COMPLETED: 0 running, 1 succeeded"]
    places = [output.find(text) for text in told]
    assert -1 not in places, output
    assert places == sorted(places), f"the job's output is told while it runs: {output}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_starts_watches_and_reads(server: Server, built: Callable[[str], None], program: str) -> None:
    built(program)
    check(program, where(server))


def make_key(folder: Path) -> tuple[str, dict[str, str]]:
    """Makes a file of keys, and one of them."""
    keys = str(folder / "keys.toml")
    line = [str(binary()), "keys", "create", "--credentials", keys, "--account", "123456789012"]
    made = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, check=True).stdout
    return keys, dict(line.split("=", 1) for line in made.splitlines())


def serving_with_a_key(folder: Path, trust: Installation | None) -> Iterator[tuple[Server, dict[str, str]]]:
    """Starts a server with keys; gives what to tell a client of it as well."""
    keys, key = make_key(folder)
    server = Server(ALL_IN_ONE, folder / "server", trust=trust)
    server.arguments = {"serve": ["--credentials", keys]}
    try:
        yield server.start(), where(server) | key
    finally:
        server.kill()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with keys, and what to tell a client of it."""
    yield from serving_with_a_key(tmp_path_factory.mktemp("guarded"), None)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_does_so_with_a_key(
    guarded: tuple[Server, dict[str, str]], built: Callable[[str], None], program: str
) -> None:
    built(program)
    check(program, guarded[1])


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with keys and TLS, and what to tell a client of it but whom to trust."""
    folder = tmp_path_factory.mktemp("encrypted")
    yield from serving_with_a_key(folder, Installation(folder / "certificates"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_does_so_over_tls(
    encrypted: tuple[Server, dict[str, str]], built: Callable[[str], None], program: str
) -> None:
    built(program)
    server, environment = encrypted
    assert server.trust is not None
    authority = str(server.trust.authority)
    check(program, environment | dict.fromkeys(("TREENAIL_CA", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), authority))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_refuses_a_server_that_nobody_vouches_for(
    encrypted: tuple[Server, dict[str, str]], built: Callable[[str], None], program: str
) -> None:
    built(program)
    done = run(program, encrypted[1])
    assert done.returncode != 0, done.stdout
    assert "certificate" in done.stderr.lower(), done.stderr
    assert "started" not in done.stdout
    assert encrypted[1]["AWS_SECRET_ACCESS_KEY"] not in done.stderr
