"""Becomes a container: volumes where the pod has them, a root that nobody writes to, and a user without any right.

Runs in a mount namespace and a process namespace of its own, as root. Its argument is a JSON object; see `kubelet.py`.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 32, 4096, 16384
PR_SET_NO_NEW_PRIVS = 38

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """Mounts, or says why not."""
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def become(order: dict[str, Any]) -> None:
    """Gives up all rights and becomes the container's command."""
    os.setgroups([order["group"]])
    os.setresgid(order["group"], order["group"], order["group"])
    os.setresuid(order["user"], order["user"], order["user"])
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir("/")
    os.execvpe(order["command"][0], order["command"], order["environment"])


def wait_for(command: int) -> int:
    """Looks after orphans until the command has ended; gives its exit code, as container runtimes tell it."""
    while True:
        ended, status = os.wait()
        if ended == command:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main() -> None:
    """Makes the container, and is its process 1, with which all others end."""
    order = json.loads(sys.argv[1])
    mount("proc", "/proc", "proc", MS_NOSUID)
    # What is bound is below /run, which is this container's own.
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID)
    for place, source, is_read_only in order["mounts"]:
        Path(place).mkdir(parents=True, exist_ok=True)
        mount(source, place, None, MS_BIND | MS_REC)
        if is_read_only:
            mount(source, place, None, MS_BIND | MS_REMOUNT | MS_RDONLY)
    if order["is_root_read_only"]:
        mount("/", "/", None, MS_BIND | MS_REMOUNT | MS_RDONLY)
        mount("tmpfs", "/run", None, MS_REMOUNT | MS_RDONLY)
    command = os.fork()
    if command == 0:
        become(order)
    sys.exit(wait_for(command))


main()
