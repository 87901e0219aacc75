"""Carries the bare access token, and renews it by a refresh token that works only once."""

from __future__ import annotations

import hmac
from collections.abc import Generator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field

from connectors.bodies import peek
from connectors.errors import ConnectorError, NotSent
from connectors.fields import HeaderSecret, PictureAddress, ProductPage
from connectors.tokens import Renewal, Rotation, TokenPair, Tokens, no_token
from connectors.zalo.errors import is_token_refused, refresh_refused
from models.clock import Clock

LIVE_HOSTS = frozenset({"openapi.zalo.me", "openapi.zaloapp.com"})
OAUTH_HOST = "oauth.zaloapp.com"
TOKEN_PATH = b"/v4/oa/access_token"
EARLY = timedelta(minutes=5)
LONGEST = timedelta(days=5)  # a connection that rests for three months dies, so it is renewed weekly at least
REFRESH_LIVES = timedelta(days=90)


class Credentials(BaseModel):
    """The first pair of tokens, as an administrator's consent gave it; the pairs after it are kept elsewhere.

    The two addresses are no secrets: where a buyer reads about an item, and where Zalo fetches its pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    app_id: str = Field(pattern=r"^[0-9]{1,25}$")
    app_secret: HeaderSecret
    access_token: HeaderSecret
    refresh_token: HeaderSecret
    product_page: ProductPage = Field(max_length=200)
    picture: PictureAddress = Field(max_length=200)
    appsecret_proof: bool = False  # as the app's switch of that name on developers.zalo.me


class RenewedTokens(httpx.Auth):
    """Any number of threads may share it; one of them renews for all."""

    def __init__(self, credentials: Credentials, clock: Clock, tokens: Tokens) -> None:
        self._credentials, self._clock = credentials, clock
        self._secret = credentials.app_secret.get_secret_value()
        access, refresh = credentials.access_token.get_secret_value(), credentials.refresh_token.get_secret_value()
        first = TokenPair(access=access, refresh=refresh)
        self._rotation = Rotation(tokens, first, clock, self._renew, early=EARLY)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = yield from self._rotation.access(request)
        response = yield self._signed(request, token)
        if is_token_refused(peek(response)):  # refused, hence not done: sending it again is safe
            other = yield from self._rotation.instead_of(token, request)
            if other:
                yield self._signed(request, other)

    def _signed(self, request: httpx.Request, token: str) -> httpx.Request:
        request.headers["access_token"] = token
        if self._credentials.appsecret_proof:
            request.headers["appsecret_proof"] = proof(self._secret, token)
        return request

    def _renew(self, request: httpx.Request, old: TokenPair) -> Renewal:
        form = {"refresh_token": old.refresh, "app_id": self._credentials.app_id, "grant_type": "refresh_token"}
        response = yield httpx.Request(
            "POST",
            token_url(request.url),
            headers={
                "secret_key": self._secret,
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept-Encoding": "identity",
            },
            content=urlencode(form).encode(),
            extensions=request.extensions,  # its timeouts
        )
        return self._pair_in(response, peek(response))

    def _pair_in(self, response: httpx.Response, data: Any) -> TokenPair:
        """An access token alone makes a success; without a refresh token it serves until it ends."""
        given = data if isinstance(data, dict) else {}
        access, refresh = given.get("access_token"), given.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise self._failure(response, given)
        now = self._clock.now()
        return TokenPair(
            access=access,
            refresh=refresh if isinstance(refresh, str) else "",
            ends=now + min(_seconds(given.get("expires_in")), LONGEST),
            refresh_ends=now + REFRESH_LIVES,
        )

    def _failure(self, response: httpx.Response, data: dict[str, Any]) -> ConnectorError:
        if error := no_token(response, self._clock):
            return error
        if response.is_server_error or not data.keys() & {"error", "error_name"}:
            return NotSent("refresh", f"HTTP {response.status_code}")
        return refresh_refused(data)


def _seconds(value: Any) -> timedelta:
    """A text in the documents, a number in some answers."""
    text = str(value)
    return timedelta(seconds=min(int(text), 10**9)) if text.isascii() and text.isdecimal() else LONGEST


def token_url(url: httpx.URL) -> httpx.URL:
    """Of Zalo's own host for the live API; of the sandbox beside it, in the folder under which it is served."""
    if url.host in LIVE_HOSTS:
        return httpx.URL(f"https://{OAUTH_HOST}").copy_with(raw_path=TOKEN_PATH)
    return url.copy_with(raw_path=url.raw_path.partition(b"?")[0].partition(b"/v2.0/")[0] + TOKEN_PATH)


def proof(app_secret: str, access_token: str) -> str:
    return hmac.digest(app_secret.encode(), access_token.encode(), "sha256").hex()


def is_genuine(app_id: str, oa_secret: str, body: bytes, timestamp: str, signature: str) -> bool:
    """Whether an event came from Zalo: `signature` is X-ZEvent-Signature, `body` the bytes as they were received."""
    wanted = "mac=" + sha256(app_id.encode() + body + timestamp.encode() + oa_secret.encode()).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode())
