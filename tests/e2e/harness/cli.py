"""Command lines aimed at a server: the binary's own, and AWS's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from .server import Server, binary, clean_environment

COMMAND_SECONDS = 60


def environment(server: Server, account: str) -> dict[str, str]:
    """Gives the environment in which clients reach the server as an account."""
    return {
        **clean_environment(),
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
        "TREENAIL_ENDPOINT": server.endpoint,
        "TREENAIL_GRPC_ENDPOINT": f"http://{server.grpc_target}",
    }


def treenail(server: Server, account: str, *arguments: str, wait: bool = True) -> Any:
    """Runs one of the binary's client commands; without `wait`, gives the process that runs it."""
    line = [str(binary()), *arguments]
    options: dict[str, Any] = {"env": environment(server, account), "text": True, "encoding": "utf-8"}
    if not wait:
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return subprocess.run(line, capture_output=True, timeout=COMMAND_SECONDS, check=False, **options)


def aws(server: Server, account: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the AWS CLI."""
    line = [str(Path(sys.executable).parent / "aws"), *arguments]
    return subprocess.run(
        line, env=environment(server, account), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
