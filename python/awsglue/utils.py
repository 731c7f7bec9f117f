"""Reads the arguments that a job was started with."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

BOOKMARK_ENABLE = "job-bookmark-enable"
BOOKMARK_PAUSE = "job-bookmark-pause"
BOOKMARK_DISABLE = "job-bookmark-disable"

# What the older option `--continuation-option` is called today.
_CONTINUATIONS = {
    "continuation-enabled": BOOKMARK_ENABLE,
    "continuation-readonly": BOOKMARK_PAUSE,
    "continuation-ignore": BOOKMARK_DISABLE,
}

# Options that the service sets. They are in every result, `None` when the job run has none.
_SERVICE_OPTIONS = ("JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION", "encryption-type", "enable-data-lineage")

_BOOKMARK_OPTIONS = ("continuation-option", "job-bookmark-option", "job-bookmark-from", "job-bookmark-to")

# Glue compares the service's own options with their dashes: `JOB_RUN_ID` itself passes this check and is then
# refused by argparse as a conflict. Scripts read `args["JOB_RUN_ID"]` without asking for it.
_RESERVED = frozenset(_BOOKMARK_OPTIONS) | frozenset(f"--{name}" for name in _SERVICE_OPTIONS)

# Two names of one folder: each stands in for the other, and neither is required.
_FOLDER_OPTIONS = ("TempDir", "RedshiftTempDir")


class GlueArgumentError(Exception):
    """Says that the job's arguments are not those that its script asks for."""


class _ArgumentParser(argparse.ArgumentParser):
    """An argparse parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise GlueArgumentError(message)


def getResolvedOptions(  # noqa: N802 - the name that scripts import
    args: Sequence[str], options: Sequence[str], allow_abbrev: bool = False
) -> dict[str, Any]:
    """Reads the named options from a command line, `sys.argv` as a rule.

    `options` are names without dashes, each of them required. Arguments that nobody asked for are ignored. In the
    result a dash in a name is an underscore, and the service's own options are always there, `None` when absent.

    Raises `GlueArgumentError` when an option is missing, and `RuntimeError` when `options` names one that is
    reserved or when the bookmark's options contradict each other.
    """
    reserved = sorted(_RESERVED.intersection(options))
    if reserved:
        raise RuntimeError(f"Using reserved arguments {', '.join(reserved)}")
    # No `--help`: a job argument must not end the script with a text and exit code 0.
    parser = _ArgumentParser(allow_abbrev=allow_abbrev, add_help=False)
    _add_service_options(parser)
    for name in options:
        if name not in _FOLDER_OPTIONS:
            parser.add_argument(f"--{name}", required=True)
    parsed, _unknown = parser.parse_known_args(list(args[1:]))
    resolved = vars(parsed)
    _mirror_folders(resolved)
    _resolve_bookmark(resolved)
    return resolved


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--continuation-option", choices=sorted(_CONTINUATIONS))
    parser.add_argument("--job-bookmark-option", choices=(BOOKMARK_ENABLE, BOOKMARK_PAUSE, BOOKMARK_DISABLE))
    parser.add_argument("--job-bookmark-from")
    parser.add_argument("--job-bookmark-to")
    for name in _SERVICE_OPTIONS + _FOLDER_OPTIONS:
        parser.add_argument(f"--{name}")


def _mirror_folders(resolved: dict[str, Any]) -> None:
    first, second = _FOLDER_OPTIONS
    resolved[first] = resolved[first] if resolved[first] is not None else resolved[second]
    resolved[second] = resolved[second] if resolved[second] is not None else resolved[first]


def _resolve_bookmark(resolved: dict[str, Any]) -> None:
    continuation: str | None = resolved.pop("continuation_option")
    option = resolved["job_bookmark_option"]
    if option is None:
        option = BOOKMARK_DISABLE if continuation is None else _CONTINUATIONS[continuation]
        resolved["job_bookmark_option"] = option
    begin, end = resolved["job_bookmark_from"], resolved["job_bookmark_to"]
    if option == BOOKMARK_PAUSE:
        if begin is not None and end is None:
            raise RuntimeError("Missing option or value for --job-bookmark-to")
        if end is not None and begin is None:
            raise RuntimeError("Missing option or value for --job-bookmark-from")
    elif begin is not None and end is not None:
        raise RuntimeError("Invalid option(s)--job-bookmark-from --job-bookmark-to")
