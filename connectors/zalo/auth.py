"""Carries the bare access token, and renews it by a refresh token that works only once."""

from __future__ import annotations

import hmac
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field

from connectors.bodies import peek
from connectors.fields import HeaderSecret, PictureAddress, ProductPage
from connectors.tokens import Flow, HeaderToken, Renewal, Rotation, TokenPair, Tokens, asking, bearing, granted, proof
from connectors.zalo.errors import is_token_refused, refresh_refused
from models.clock import Clock

LIVE_HOSTS = frozenset({"openapi.zalo.me", "openapi.zaloapp.com"})
OAUTH_HOST = "oauth.zaloapp.com"
TOKEN_PATH = b"/v4/oa/access_token"
EARLY = timedelta(minutes=5)
LONGEST = 432_000  # seconds, five days: a connection that rests for three months dies, so it is renewed weekly at least
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


class Renewed(msgspec.Struct, frozen=True):
    """`expires_in` is a text in the documents, a number in some answers. Without a refresh token the access token
    serves until it ends."""

    access_token: HeaderToken
    refresh_token: Any = ""
    expires_in: Any = ""

    @property
    def seconds(self) -> int:
        text = str(self.expires_in)[:19]
        return min(int(text), LONGEST) if text.isascii() and text.isdecimal() else LONGEST


class RenewedTokens(httpx.Auth):
    """Any number of threads may share it; one of them renews for all."""

    def __init__(self, credentials: Credentials, clock: Clock, tokens: Tokens) -> None:
        self._credentials, self._clock = credentials, clock
        self._secret = credentials.app_secret.get_secret_value()
        access, refresh = credentials.access_token.get_secret_value(), credentials.refresh_token.get_secret_value()
        first = TokenPair(access=access, refresh=refresh)
        self._rotation = Rotation(tokens, first, clock, self._renew, early=EARLY)

    def auth_flow(self, request: httpx.Request) -> Flow:
        return bearing(self._rotation, request, self._signed, lambda response: is_token_refused(peek(response)))

    def _signed(self, request: httpx.Request, token: str) -> httpx.Request:
        request.headers["access_token"] = token
        if self._credentials.appsecret_proof:
            request.headers["appsecret_proof"] = proof(self._secret, token)
        return request

    def _renew(self, request: httpx.Request, old: TokenPair) -> Renewal:
        form = {"refresh_token": old.refresh, "app_id": self._credentials.app_id, "grant_type": "refresh_token"}
        response = yield asking(request, token_url(request.url), headers={"secret_key": self._secret}, data=form)
        new = granted(response, Renewed, self._clock, refresh_refused)
        now = self._clock.now()
        return TokenPair(
            access=new.access_token,
            refresh=new.refresh_token if isinstance(new.refresh_token, str) else "",
            ends=now + timedelta(seconds=new.seconds),
            refresh_ends=now + REFRESH_LIVES,
        )


def token_url(url: httpx.URL) -> httpx.URL:
    """Of Zalo's own host for the live API; of the sandbox beside it, in the folder under which it is served."""
    if url.host in LIVE_HOSTS:
        return httpx.URL(f"https://{OAUTH_HOST}").copy_with(raw_path=TOKEN_PATH)
    return url.copy_with(raw_path=url.raw_path.partition(b"?")[0].partition(b"/v2.0/")[0] + TOKEN_PATH)


def is_genuine(app_id: str, oa_secret: str, body: bytes, timestamp: str, signature: str) -> bool:
    """Whether an event came from Zalo: `signature` is X-ZEvent-Signature, `body` the bytes as they were received."""
    wanted = "mac=" + sha256(app_id.encode() + body + timestamp.encode() + oa_secret.encode()).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode())
