"""S3 on the same port: buckets, objects, scripts, and a job's own client."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from harness.aws import client
from harness.flows import ROLE, command, job_run_ended
from harness.scripts import Record
from harness.server import Server


@pytest.fixture
def s3(server: Server, account: str) -> Any:
    """A boto3 S3 client of the test's account."""
    return client("s3", server.endpoint, account)


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    """A bucket of the test's own: names of buckets may be shared by all accounts."""
    name = f"bucket-{account}"
    s3.create_bucket(Bucket=name)
    return name


def test_objects_are_kept_listed_and_deleted(s3: Any, bucket: str) -> None:
    body = bytes(range(256)) * 5000
    s3.put_object(Bucket=bucket, Key="folder/a b.bin", Body=body)
    s3.put_object(Bucket=bucket, Key="other", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="folder/a b.bin")["Body"].read() == body
    part = s3.get_object(Bucket=bucket, Key="folder/a b.bin", Range="bytes=10-19")["Body"].read()
    assert part == body[10:20]
    assert s3.head_object(Bucket=bucket, Key="other")["ContentLength"] == 0
    listed = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="folder/")["Contents"]]
    assert listed == ["folder/a b.bin"]
    s3.delete_object(Bucket=bucket, Key="other")
    with pytest.raises(ClientError) as raised:
        s3.head_object(Bucket=bucket, Key="other")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_large_file_is_uploaded_in_parts(s3: Any, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(bytes(range(256)) * 65536)
    s3.upload_file(str(source), bucket, "large.bin")
    s3.download_file(bucket, "large.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "..", "a/%2e%2e/%2e%2e/b"])
def test_a_key_does_not_lead_out_of_its_bucket(s3: Any, bucket: str, server: Server, key: str) -> None:
    with suppress(ClientError, ParamValidationError):  # refused, or kept inside the bucket: both are well
        s3.put_object(Bucket=bucket, Key=key, Body=b"mine")
    assert not list(server.data_dir.glob("outside"))
    assert not list(server.data_dir.glob("*/outside"))
    assert not list(server.data_dir.glob("*/s3/outside"))


def test_a_script_lies_in_s3(glue: Any, s3: Any, bucket: str, record: Record) -> None:
    s3.put_object(Bucket=bucket, Key="jobs/a.py", Body=b"import extra\n" + record.script.encode())
    s3.put_object(Bucket=bucket, Key="jobs/extra.py", Body=b"")
    arguments = {"--extra-py-files": f"s3://{bucket}/jobs/extra.py"}
    location = command(f"s3://{bucket}/jobs/a.py")
    glue.create_job(Name="j", Role=ROLE, Command=location, DefaultArguments=arguments)
    job_run_ended(glue, "j", glue.start_job_run(JobName="j")["JobRunId"])
    assert len(record.runs) == 1


def test_a_jobs_own_client_reaches_the_same_s3(glue: Any, s3: Any, bucket: str) -> None:
    script = f"""
import boto3
s3 = boto3.client("s3")
text = s3.get_object(Bucket={bucket!r}, Key="in")["Body"].read()
s3.put_object(Bucket={bucket!r}, Key="out", Body=text.upper())
"""
    s3.put_object(Bucket=bucket, Key="job.py", Body=script.encode())
    s3.put_object(Bucket=bucket, Key="in", Body=b"written by a test")
    glue.create_job(Name="j", Role=ROLE, Command=command(f"s3://{bucket}/job.py"))
    job_run_ended(glue, "j", glue.start_job_run(JobName="j")["JobRunId"])
    assert s3.get_object(Bucket=bucket, Key="out")["Body"].read() == b"WRITTEN BY A TEST"


def test_nothing_is_put_into_a_bucket_that_is_not_there(s3: Any, bucket: str) -> None:
    absent = f"{bucket}-absent"
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    for put in (
        lambda: s3.put_object(Bucket=absent, Key="key", Body=b"1"),
        lambda: s3.create_multipart_upload(Bucket=absent, Key="key"),
        lambda: s3.copy_object(Bucket=absent, Key="key", CopySource=f"{bucket}/key"),
        lambda: s3.get_object(Bucket=absent, Key="key"),
    ):
        with pytest.raises(ClientError) as refused:
            put()
        assert refused.value.response["Error"]["Code"] == "NoSuchBucket"
    assert absent not in [found["Name"] for found in s3.list_buckets()["Buckets"]]


def test_a_body_that_is_not_what_its_checksum_says_is_refused(s3: Any, bucket: str) -> None:
    for checksum in ({"ChecksumCRC32": "AAAAAA=="}, {"ChecksumSHA256": "A" * 43 + "="}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="broken", Body=b"whole", **checksum)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
