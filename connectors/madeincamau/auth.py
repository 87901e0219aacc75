"""OAuth 2 client credentials: one bearer token for all threads, fetched again when it ends or is refused."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.errors import AuthorisationFailed, NotSent
from connectors.tokens import OneToken, Renewal, TokenPair, no_token
from models.clock import Clock

ROOT = b"/api/partner/v1"
EARLY = timedelta(seconds=60)


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, max_length=100)
    client_secret: SecretStr = Field(min_length=1, max_length=200)


class Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int


class ClientCredentials(httpx.Auth):
    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._ask, early=EARLY)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = yield from self._token.access(request)
        response = yield authorised(request, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            yield authorised(request, (yield from self._token.access(request, refused=token)))

    def _ask(self, request: httpx.Request) -> Renewal:
        asked = self._clock.now()
        response = yield self._token_request(request)
        response.read()
        token = self._granted(response)
        return TokenPair(access=token.access_token, ends=asked + timedelta(seconds=token.expires_in))

    def _token_request(self, request: httpx.Request) -> httpx.Request:
        """The token address lies beside the one being called."""
        base = request.url.raw_path.partition(ROOT)[0]
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret.get_secret_value(),
        }
        return httpx.Request("POST", request.url.copy_with(raw_path=base + ROOT + b"/oauth/token"), data=form)

    def _granted(self, response: httpx.Response) -> Token:
        status = f"HTTP {response.status_code}"
        if error := no_token(response, self._clock):
            raise error
        if response.is_client_error:
            raise AuthorisationFailed(oauth_code(response.content) or status)
        try:
            return msgspec.json.decode(response.content, type=Token)
        except (msgspec.MsgspecError, RecursionError):
            raise NotSent(f"token {status}") from None


def authorised(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


class OAuthError(msgspec.Struct, frozen=True):
    error: str


def oauth_code(body: bytes) -> str:
    """The code of RFC 6749 §5.2, "" where the body is something else."""
    try:
        return msgspec.json.decode(body, type=OAuthError).error[:50]
    except (msgspec.MsgspecError, RecursionError):
        return ""
