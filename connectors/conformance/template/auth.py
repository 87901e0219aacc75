"""Carries the account's token in every request."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from models.clock import Clock


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(min_length=1)


class BearerToken(httpx.Auth):
    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._token = credentials.token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request
