"""Signs every request: HMAC-SHA256 over method, raw path with query, timestamp and body hash."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from models.clock import Clock


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, pattern=r"^[!-~]+$")  # goes into a header
    client_secret: SecretStr = Field(min_length=1)


class SignedRequests(httpx.Auth):
    """Holds no state but the credentials, so any number of threads may share it.

    There is nothing to refresh: a refused signature reaches errors.py as the answer of the call itself.
    """

    requires_request_body = True

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._client_id = credentials.client_id
        self._secret = credentials.client_secret.get_secret_value().encode()
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        timestamp = str(int(self._clock.now().timestamp()))
        request.headers["X-Client-Id"] = self._client_id
        request.headers["X-Timestamp"] = timestamp
        request.headers["X-Signature"] = sign(
            self._secret, request.method, request.url.raw_path, timestamp, request.content
        )
        yield request


def sign(secret: bytes, method: str, raw_path: bytes, timestamp: str, body: bytes) -> str:
    """`raw_path` as it goes over the wire, with its query: a proxy that rewrites the path breaks the signature."""
    body_hash = hashlib.sha256(body).hexdigest()
    message = b"\n".join((method.encode(), raw_path, timestamp.encode(), body_hash.encode()))
    return hmac.digest(secret, message, "sha256").hex()
