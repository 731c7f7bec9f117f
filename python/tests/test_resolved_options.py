"""`getResolvedOptions`: which arguments a script gets, and what it is told when they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from awsglue.utils import GlueArgumentError, getResolvedOptions

ALWAYS_THERE = {
    "job_bookmark_option": "job-bookmark-disable",
    "job_bookmark_from": None,
    "job_bookmark_to": None,
    "JOB_ID": None,
    "JOB_RUN_ID": None,
    "SECURITY_CONFIGURATION": None,
    "encryption_type": None,
    "enable_data_lineage": None,
    "RedshiftTempDir": None,
    "TempDir": None,
}


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        ("", [], {}),
        ("--day 1", ["day"], {"day": "1"}),
        ("--day=1", ["day"], {"day": "1"}),
        ("--day= --x y", ["day"], {"day": ""}),
        ("--day 1 --day 2", ["day"], {"day": "2"}),
        ("--number -5", ["number"], {"number": "-5"}),
        ("--unknown x --flag --day 1 stray", ["day"], {"day": "1"}),
        ("--a-b 1", ["a-b"], {"a_b": "1"}),
        ("--help me --day 1", ["day"], {"day": "1"}),
        ("--WORKFLOW_NAME w --WORKFLOW_RUN_ID wr_1", ["WORKFLOW_NAME"], {"WORKFLOW_NAME": "w"}),
        ("--JOB_RUN_ID jr_1 --JOB_ID j_1 --JOB_NAME n", ["JOB_NAME"],
         {"JOB_NAME": "n", "JOB_RUN_ID": "jr_1", "JOB_ID": "j_1"}),
        ("--TempDir s3://b/t", [], {"TempDir": "s3://b/t", "RedshiftTempDir": "s3://b/t"}),
        ("--RedshiftTempDir s3://b/r", ["TempDir"], {"TempDir": "s3://b/r", "RedshiftTempDir": "s3://b/r"}),
        ("--RedshiftTempDir r --TempDir t", [], {"TempDir": "t", "RedshiftTempDir": "r"}),
        ("", ["TempDir"], {}),
        ("--job-bookmark-option job-bookmark-enable", [], {"job_bookmark_option": "job-bookmark-enable"}),
        ("--continuation-option continuation-enabled", [], {"job_bookmark_option": "job-bookmark-enable"}),
        ("--continuation-option continuation-readonly", [], {"job_bookmark_option": "job-bookmark-pause"}),
        ("--continuation-option continuation-ignore", [], {"job_bookmark_option": "job-bookmark-disable"}),
        ("--job-bookmark-option job-bookmark-pause --job-bookmark-from a --job-bookmark-to b", [],
         {"job_bookmark_option": "job-bookmark-pause", "job_bookmark_from": "a", "job_bookmark_to": "b"}),
        ("--encryption-type sse-s3 --enable-data-lineage true --SECURITY_CONFIGURATION c", [],
         {"encryption_type": "sse-s3", "enable_data_lineage": "true", "SECURITY_CONFIGURATION": "c"}),
    ],
)  # fmt: skip
def test_a_command_line_gives(line: str, options: list[str], expected: dict[str, Any]) -> None:
    assert getResolvedOptions(["script.py", *line.split()], options) == {**ALWAYS_THERE, **expected}


def test_the_script_name_is_not_an_argument() -> None:
    with pytest.raises(GlueArgumentError):
        getResolvedOptions(["--day=1"], ["day"])


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ("", ["SOURCE", "OUTPUT"], "the following arguments are required: --SOURCE, --OUTPUT"),
        ("--day", ["day"], "argument --day: expected one argument"),
        ("--JOB x", ["JOB_NAME"], "the following arguments are required: --JOB_NAME"),
        ("--job-bookmark-option on", [], "argument --job-bookmark-option: invalid choice: 'on'"),
    ],
)
def test_a_wrong_command_line_is_a_glue_argument_error(line: str, options: list[str], message: str) -> None:
    with pytest.raises(GlueArgumentError) as raised:
        getResolvedOptions(["script.py", *line.split()], options)
    assert str(raised.value).startswith(message)


def test_abbreviations_are_understood_when_asked_for() -> None:
    resolved = getResolvedOptions(["script.py", "--JOB_NA", "x"], ["JOB_NAME"], allow_abbrev=True)
    assert resolved["JOB_NAME"] == "x"


@pytest.mark.parametrize(
    "name",
    ["continuation-option", "job-bookmark-option", "job-bookmark-from", "job-bookmark-to",
     "--JOB_ID", "--JOB_RUN_ID", "--SECURITY_CONFIGURATION", "--encryption-type", "--enable-data-lineage"],
)  # fmt: skip
def test_a_reserved_name_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(RuntimeError, match="^Using reserved arguments "):
        getResolvedOptions(["script.py"], [name])


def test_the_run_id_is_read_without_being_asked_for() -> None:
    with pytest.raises(Exception, match="conflicting option string: --JOB_RUN_ID"):
        getResolvedOptions(["script.py", "--JOB_RUN_ID", "jr_1"], ["JOB_RUN_ID"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--job-bookmark-option job-bookmark-pause --job-bookmark-from a",
         "Missing option or value for --job-bookmark-to"),
        ("--job-bookmark-option job-bookmark-pause --job-bookmark-to b",
         "Missing option or value for --job-bookmark-from"),
        ("--job-bookmark-from a --job-bookmark-to b", "Invalid option(s)--job-bookmark-from --job-bookmark-to"),
        ("--job-bookmark-option job-bookmark-enable --job-bookmark-from a --job-bookmark-to b",
         "Invalid option(s)--job-bookmark-from --job-bookmark-to"),
    ],
)  # fmt: skip
def test_bookmark_options_that_contradict_each_other_are_refused(line: str, message: str) -> None:
    with pytest.raises(RuntimeError) as raised:
        getResolvedOptions(["script.py", *line.split()], [])
    assert str(raised.value) == message
