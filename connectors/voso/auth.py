"""Logs in with name and password, carries the long token, and logs in again once where it has expired."""

from __future__ import annotations

from typing import Any, Literal

import httpx
import msgspec
from pydantic import BaseModel, SecretStr

from connectors.bodies import peek
from connectors.tokens import Flow, HeaderToken, OneToken, Renewal, Step, TokenPair, asking, bearing, granted
from connectors.voso.errors import TOKEN_INVALID, classify, is_envelope
from models.clock import Clock


class Credentials(BaseModel):
    username: str
    password: SecretStr


class Entry(msgspec.Struct, frozen=True):
    token: HeaderToken


class Entered(msgspec.Struct, frozen=True):
    status: Literal[200]
    data: Entry


class VosoAuth(httpx.Auth):
    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._log_in)

    def auth_flow(self, request: httpx.Request) -> Flow:
        return bearing(self._token, request, carrying, lambda response: is_token_refused(peek(response)))

    def _log_in(self, request: httpx.Request) -> Renewal:
        temporary = yield from self._ask(request, "Login", {})
        return TokenPair(access=(yield from self._ask(request, "ownerconnect", {"Token": temporary})))

    def _ask(self, request: httpx.Request, name: str, token: dict[str, str]) -> Step:
        secret = {"username": self._credentials.username, "password": self._credentials.password.get_secret_value()}
        url = request.url.copy_with(raw_path=root_of(request) + b"/v2/user/" + name.encode())
        response = yield asking(request, url, headers=token, json=secret)
        return granted(response, Entered, self._clock, classify).data.token


def carrying(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Token"] = token
    return request


def is_token_refused(data: Any) -> bool:
    return is_envelope(data) and data["status"] == TOKEN_INVALID


def root_of(request: httpx.Request) -> bytes:
    """What stands before /v2/: empty, or the folder under which the sandbox is served."""
    return request.url.raw_path.split(b"?")[0].rpartition(b"/v2/")[0]
