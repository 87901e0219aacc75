"""Logs in with name and password, carries the long token, and logs in again once where it has expired."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from connectors.bodies import peek
from connectors.errors import AuthorisationFailed, ConnectorError, NotSent
from connectors.tokens import OneToken, Renewal, Step, TokenPair, no_token
from connectors.voso.errors import OK, TOKEN_INVALID, error_of, is_envelope
from models.clock import Clock


class Credentials(BaseModel):
    username: str
    password: SecretStr


class VosoAuth(httpx.Auth):
    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._log_in)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = yield from self._token.access(request)
        request.headers["Token"] = token
        response = yield request
        if business_code(peek(response)) == TOKEN_INVALID:  # refused, hence not done: sending it again is safe
            request.headers["Token"] = yield from self._token.access(request, refused=token)
            yield request

    def _log_in(self, request: httpx.Request) -> Renewal:
        temporary = yield from self._ask(request, "Login", {})
        return TokenPair(access=(yield from self._ask(request, "ownerconnect", {"Token": temporary})))

    def _ask(self, request: httpx.Request, name: str, token: dict[str, str]) -> Step:
        secret = {"username": self._credentials.username, "password": self._credentials.password.get_secret_value()}
        response = yield httpx.Request(
            "POST",
            request.url.copy_with(raw_path=root_of(request) + b"/v2/user/" + name.encode()),
            headers={"Accept-Encoding": "identity", **token},
            json=secret,
            extensions=request.extensions,  # its timeouts
        )
        return self._token_in(response, peek(response))

    def _token_in(self, response: httpx.Response, data: Any) -> str:
        token = data["data"].get("token") if is_envelope(data) and isinstance(data["data"], dict) else None
        if response.status_code == httpx.codes.OK and business_code(data) == OK and isinstance(token, str) and token:
            return token
        raise self._failure(response, data)

    def _failure(self, response: httpx.Response, data: Any) -> ConnectorError:
        if error := no_token(response, self._clock):
            return error
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return AuthorisationFailed(f"HTTP {response.status_code}")
        told = error_of(data) if is_envelope(data) else None
        return told if isinstance(told, AuthorisationFailed) else NotSent("login", f"HTTP {response.status_code}")


def business_code(data: Any) -> int:
    return int(data["status"]) if is_envelope(data) else 0


def root_of(request: httpx.Request) -> bytes:
    """What stands before /v2/: empty, or the folder under which the sandbox is served."""
    return request.url.raw_path.split(b"?")[0].rpartition(b"/v2/")[0]
