"""AWS's own clients, aimed at a server."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

_session = boto3.Session()
_accounts = itertools.count(1)

SECRET = "any"
REGION = "us-east-1"


def new_account() -> str:
    """Gives an account that no other test has: the access key of its clients, and all that a test shares with none."""
    return f"{os.getpid() % 100_000:05}{next(_accounts):07}"


def client(
    service: str,
    endpoint: str,
    account: str,
    region: str = REGION,
    attempts: int = 1,
    secret: str = SECRET,
    authority: Path | None = None,
) -> Any:
    """Makes a boto3 client that tries each call once, unless told otherwise: a retry hides what the server said.

    An authority vouches for an endpoint at https://.
    """
    return _session.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key=secret,
        verify=str(authority) if authority else None,
        config=Config(
            retries={"total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=40,
            max_pool_connections=64,
            s3={"addressing_style": "path"},
        ),
    )


def refused(call: Callable[..., Any], **members: Any) -> tuple[str, str]:
    """Makes a call that the server refuses: gives the exception's name and text."""
    with pytest.raises(ClientError) as raised:
        call(**members)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def answer(response: dict[str, Any]) -> dict[str, Any]:
    """Gives a response without what boto3 adds to it."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def read_paged(call: Callable[..., Any], member: str, size: int, **members: Any) -> list[Any]:
    """Reads a list page by page, and checks that a page holds no more than was asked for."""
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        response = call(**members, **token, MaxResults=size)
        assert len(response[member]) <= size
        found.extend(response[member])
        if "NextToken" not in response:
            return found
        assert response["NextToken"], "a last page has no token, not an empty one"
        token = {"NextToken": response["NextToken"]}
