"""The AWS JSON protocol by hand: what no SDK would send, and answers as they are."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 20.0
REGION = "us-east-1"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict), self
        return value

    @property
    def fault(self) -> str:
        """The exception's name."""
        return str(self.json["__type"])

    @property
    def message(self) -> str:
        """The exception's text, whichever of AWS's two spellings carries it."""
        return str(self.json.get("Message", self.json.get("message", "")))


def authorization(account: str, region: str = REGION, service: str = "glue") -> str:
    """Gives a header of the form of a signature: any signature is accepted on loopback."""
    scope = f"{account}/20261120/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"


def aws_headers(target: str | None, account: str, region: str = REGION) -> dict[str, str]:
    """Gives the headers that an SDK sends."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "Authorization": authorization(account, region)}
    headers["X-Amz-Date"] = "20261120T120000Z"
    if target is not None:
        headers["X-Amz-Target"] = target
    return headers


def request(
    endpoint: str,
    method: str = "POST",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    authority: Path | None = None,
) -> Answer:
    """Sends a request on a connection of its own; an authority vouches for an endpoint at https://."""
    connection = _connection(endpoint, authority)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def _connection(endpoint: str, authority: Path | None) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context(cafile=str(authority))
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)


def call(
    endpoint: str,
    target: str,
    members: Mapping[str, Any] | bytes,
    account: str,
    extra: Mapping[str, str] | None = None,
) -> Answer:
    """Calls an operation, `AWSGlue.GetJob` say."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return request(endpoint, headers={**aws_headers(target, account), **(extra or {})}, body=body)
