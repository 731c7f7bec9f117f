"""The binary, and the environment in which it is run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

# Variables of this shell's that must not reach a server: they would change what it does.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_FOREIGN = ("AWS_", "TREENAIL_", "OTEL_", "PYTHON", "RUST_LOG", *_PROXIES)


def binary() -> Path:
    """Finds the binary: `TREENAIL_BIN`, or the debug build."""
    named = os.environ.get("TREENAIL_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    path = Path(named) if named else target / "debug" / "treenail"
    assert path.is_file(), f"{path} is not there: cargo build -p treenail"
    return path


def clean_environment() -> dict[str, str]:
    """Gives this process's environment without what would change a server, with the tests' Python first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    # Whatever a job's boto3 might ask for besides the server's own endpoint is not there.
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    return environment
