"""Logs in with name and password, carries the long token, and logs in again once where it has expired."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from connectors.bodies import peek
from connectors.errors import AuthorisationFailed, ConnectorError, NotSent
from connectors.tokens import no_token
from connectors.voso.errors import OK, TOKEN_INVALID, error_of, is_envelope
from models.clock import Clock

Flow = Generator[httpx.Request, httpx.Response, None]
Step = Generator[httpx.Request, httpx.Response, str]


class Credentials(BaseModel):
    username: str
    password: SecretStr


class VosoAuth(httpx.Auth):
    """One token for all threads of an account; only one of them logs in at a time."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Flow:
        token = yield from self._other_than("", request)
        request.headers["Token"] = token
        response = yield request
        if business_code(peek(response)) == TOKEN_INVALID:  # refused, hence not done: sending it again is safe
            request.headers["Token"] = yield from self._other_than(token, request)
            yield request

    def _other_than(self, refused: str, request: httpx.Request) -> Step:
        """The token in use; a fresh one where that is the refused one, or there is none."""
        with self._lock:
            if self._token == refused:
                self._token = yield from self._log_in(request)
            return self._token

    def _log_in(self, request: httpx.Request) -> Step:
        temporary = yield from self._ask(request, "Login", {})
        return (yield from self._ask(request, "ownerconnect", {"Token": temporary}))

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
