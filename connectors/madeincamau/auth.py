"""OAuth 2 client credentials: one bearer token for all threads, fetched again when it ends or is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.errors import AuthorisationFailed
from connectors.tokens import Flow, Granted, OneToken, Renewal, asking, bearing, granted
from connectors.typed import typed
from models.clock import Clock

ROOT = b"/api/partner/v1"
EARLY = timedelta(seconds=60)


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, max_length=100)
    client_secret: SecretStr = Field(min_length=1, max_length=200)


class ClientCredentials(httpx.Auth):
    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._ask, early=EARLY)

    def auth_flow(self, request: httpx.Request) -> Flow:
        return bearing(self._token, request, authorised, lambda r: r.status_code == httpx.codes.UNAUTHORIZED)

    def _ask(self, request: httpx.Request) -> Renewal:
        """The token address lies beside the one being called."""
        asked, base = self._clock.now(), request.url.raw_path.partition(ROOT)[0]
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret.get_secret_value(),
        }
        response = yield asking(request, request.url.copy_with(raw_path=base + ROOT + b"/oauth/token"), data=form)
        return granted(response, Granted, self._clock, refusal).pair(asked)


def authorised(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


class OAuthError(msgspec.Struct, frozen=True):
    error: str


def refusal(response: httpx.Response, data: Any) -> AuthorisationFailed | None:
    """By the code of RFC 6749 §5.2, or the status where the body is something else."""
    if not response.is_client_error:
        return None
    try:
        return AuthorisationFailed(typed(data, OAuthError).error[:50])
    except msgspec.ValidationError:
        return AuthorisationFailed(f"HTTP {response.status_code}")
