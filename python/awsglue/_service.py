"""Speaks to the server that runs the job: AWS JSON over HTTP with the standard library.

boto3 does not know `Treenail.PutJobBookmark`, and a script need not have boto3 installed, so this module signs and
sends its few calls itself (Signature Version 4, with the job's own credentials).
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REQUEST_TIMEOUT_SECONDS = 30
RESPONSE_BYTES_MAX = 16 * 1024 * 1024

_CONTENT_TYPE = "application/x-amz-json-1.1"
_SERVICE_NAME = "glue"


class ServiceError(Exception):
    """An error that the server answered with, or the lack of an answer.

    `code` is the exception's name, such as `EntityNotFoundException`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Credentials:
    """What a request is signed with. The access key also names the account, the region the rest of the scope."""

    access_key: str
    secret_key: str
    region: str
    session_token: str | None = None


class Service:
    """The server's AWS JSON endpoint."""

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        # Loopback must not go through a proxy that the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Service:
        """Finds the server in the environment that the worker gives to a job.

        Raises `RuntimeError` when no endpoint is named: AWS itself has no operation that commits a bookmark.
        """
        env = os.environ if environment is None else environment
        endpoint = env.get("AWS_ENDPOINT_URL_GLUE") or env.get("AWS_ENDPOINT_URL")
        if not endpoint:
            raise RuntimeError("job bookmarks need a Treenail server: set AWS_ENDPOINT_URL_GLUE or AWS_ENDPOINT_URL")
        credentials = Credentials(
            access_key=env.get("AWS_ACCESS_KEY_ID") or "000000000000",
            secret_key=env.get("AWS_SECRET_ACCESS_KEY") or "treenail",
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
            session_token=env.get("AWS_SESSION_TOKEN") or None,
        )
        return cls(endpoint, credentials)

    def call(self, target: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """Calls an operation, such as `AWSGlue.GetJobBookmark`, and gives back its answer.

        Raises `ServiceError` for every answer that is not a success, and when there is none.
        """
        body = json.dumps(members).encode()
        headers = {"Content-Type": _CONTENT_TYPE, "X-Amz-Target": target}
        now = datetime.datetime.now(datetime.timezone.utc)
        headers.update(sign(self._endpoint, headers, body, self._credentials, now))
        request = urllib.request.Request(self._endpoint, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=REQUEST_TIMEOUT_SECONDS) as response:
                return _decode(response.read(RESPONSE_BYTES_MAX))
        except urllib.error.HTTPError as error:
            raise _service_error(error) from error
        except (urllib.error.URLError, OSError) as error:
            raise ServiceError("EndpointConnectionError", f"no answer from {self._endpoint}: {error}") from error


def sign(
    url: str, headers: Mapping[str, str], body: bytes, credentials: Credentials, now: datetime.datetime
) -> dict[str, str]:
    """Gives the headers that sign a `POST` of `body` to the root of `url` (Signature Version 4)."""
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{credentials.region}/{_SERVICE_NAME}/aws4_request"
    added = {"X-Amz-Date": timestamp}
    if credentials.session_token:
        added["X-Amz-Security-Token"] = credentials.session_token
    parts = urllib.parse.urlsplit(url)
    signed = {name.lower(): value.strip() for name, value in {**headers, **added, "Host": parts.netloc}.items()}
    names = ";".join(sorted(signed))
    lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
    canonical = "\n".join(["POST", parts.path or "/", parts.query, *lines, "", names, _sha256(body)])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", timestamp, scope, _sha256(canonical.encode())])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    added["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={_hmac(key, to_sign).hex()}"
    )
    return added


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _decode(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"the server's answer is not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise ServiceError("SerializationException", "the server's answer is not a JSON object")
    return answer


def _service_error(error: urllib.error.HTTPError) -> ServiceError:
    answer = _decode(error.read(RESPONSE_BYTES_MAX))
    code = str(answer.get("__type") or f"HTTP {error.code}").rsplit("#", 1)[-1]
    message = str(answer.get("Message") or answer.get("message") or error.reason)
    return ServiceError(code, message)
