"""The template with tokens that renew themselves, the refresh token working once: no connector of ours is needed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, SecretStr

from connectors.conformance.template import CONNECTOR as TEMPLATE
from connectors.conformance.template import simulator
from connectors.errors import AuthorisationFailed
from connectors.simulator import Answer, json_of, respond
from connectors.tokens import TokenPair, Tokens
from models.clock import Clock

Flow = Generator[httpx.Request, httpx.Response, None]


class Simulator(simulator.Simulator):
    credentials: ClassVar[Mapping[str, str]] = {"access": "first-access", "refresh": "first-refresh"}

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        if path == ["token"]:
            return self._renew(json_of(request)["refresh"])
        return super().handle(request, path)

    def expire(self) -> None:
        self._state.put("pair", "ended", True)

    def _authorise(self, request: httpx.Request) -> None:
        if self._state.get("pair", "ended") or request.headers.get("Authorization") != f"Bearer {self._pair()[0]}":
            raise simulator.Refusal(401, "bad_token", "Mã truy cập không đúng")

    def _pair(self) -> list[str]:
        return self._state.get("pair", "now") or [self.credentials["access"], self.credentials["refresh"]]

    def _renew(self, refresh: str) -> Answer:
        if refresh != self._pair()[1]:
            return Answer(respond(401, {"error": {"code": "bad_token"}}), "refused")
        number = self._state.next_number("pair")
        pair = [f"access-number-{number:04}", f"refresh-number-{number:04}"]
        self._state.put("pair", "now", pair)
        self._state.delete("pair", "ended")
        return Answer(respond(200, {"access": pair[0], "refresh": pair[1]}), "read")


class Credentials(BaseModel):
    access: SecretStr
    refresh: SecretStr


class Rotating(httpx.Auth):
    requires_response_body = False

    def __init__(self, credentials: Credentials, clock: Clock, tokens: Tokens) -> None:
        self._first = TokenPair(
            access=credentials.access.get_secret_value(), refresh=credentials.refresh.get_secret_value()
        )
        self._tokens = tokens
        self.pair = self.stored()

    def stored(self) -> TokenPair:
        return self._tokens.read() or self._first

    def auth_flow(self, request: httpx.Request) -> Flow:
        used = self.pair
        response = yield authorised(request, used)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        self.pair = self.stored()
        if self.pair == used:  # nobody else renewed it meanwhile
            yield from self.renew(request)
        yield authorised(request, self.pair)

    def renew(self, request: httpx.Request) -> Flow:
        self.pair = yield from asked(request, self.pair)
        self._tokens.save(self.pair)


def asked(request: httpx.Request, old: TokenPair) -> Generator[httpx.Request, httpx.Response, TokenPair]:
    answer = yield httpx.Request(
        "POST",
        request.url.join("/template/token"),
        json={"refresh": old.refresh},
        extensions=request.extensions,
    )
    if answer.status_code != httpx.codes.OK:
        raise AuthorisationFailed("bad_token")
    data: dict[str, Any] = httpx.Response(200, content=answer.read()).json()
    return TokenPair(access=data["access"], refresh=data["refresh"])


def authorised(request: httpx.Request, pair: TokenPair) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {pair.access}"
    return request


CONNECTOR = replace(
    TEMPLATE,
    credentials=Credentials,
    auth=Rotating,
    rotates=True,
    simulator="tests.connectors.conformance.rotating.Simulator",
)
