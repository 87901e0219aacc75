"""Carries the bare access token, and renews it by a refresh token that works only once."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Generator, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.bodies import parse
from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured, NotSent, Throttled
from connectors.rate_headers import retry_after
from connectors.tokens import TokenPair, Tokens
from connectors.zalo.errors import ENDED, TOKEN_REFUSED, code_of, refresh_refused
from models.clock import Clock

LIVE_HOSTS = frozenset({"openapi.zalo.me", "openapi.zaloapp.com"})
OAUTH_HOST = "oauth.zaloapp.com"
TOKEN_PATH = b"/v4/oa/access_token"
CLOSE = timedelta(minutes=5)  # before its end an access token is renewed already
LONGEST = timedelta(days=5)  # a connection that rests for three months dies, so it is renewed weekly at least
REFRESH_LIVES = timedelta(days=90)
ASKED_MOST = 2  # with one refresh token: once, and once more where the answer was lost
SKU, PICTURE = "{sku}", "{sha256}"

Flow = Generator[httpx.Request, httpx.Response, None]
Renewal = Generator[httpx.Request, httpx.Response, TokenPair]


class Credentials(BaseModel):
    """The first pair of tokens, as an administrator's consent gave it; the pairs after it are kept elsewhere.

    The two addresses are no secrets: where a buyer reads about an item, and where Zalo fetches its pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    app_id: str = Field(pattern=r"^[0-9]{1,25}$")
    app_secret: SecretStr = Field(min_length=1)
    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = Field(min_length=1)
    product_page: str = Field(pattern=r"^https://\S+$", max_length=200)
    picture: str = Field(pattern=r"^https://\S+$", max_length=200)
    appsecret_proof: bool = False  # as the app's switch of that name on developers.zalo.me

    @field_validator("app_secret", "access_token", "refresh_token")
    @classmethod
    def _is_ascii(cls, value: SecretStr) -> SecretStr:
        """It goes into a header."""
        if not all("!" <= sign <= "~" for sign in value.get_secret_value()):
            raise ValueError("only printable ASCII characters without blanks")
        return value

    @field_validator("product_page")
    @classmethod
    def _names_sku(cls, value: str) -> str:
        return _with(SKU, value)

    @field_validator("picture")
    @classmethod
    def _names_picture(cls, value: str) -> str:
        return _with(PICTURE, value)


def _with(placeholder: str, value: str) -> str:
    if value.count(placeholder) != 1 or not value.isascii():
        raise ValueError(f"must hold {placeholder} once, and only ASCII characters")
    return value


class RenewedTokens(httpx.Auth):
    """One pair for all threads of an account; only one of them renews it at a time."""

    def __init__(self, credentials: Credentials, clock: Clock, tokens: Tokens) -> None:
        self._credentials, self._clock, self._tokens = credentials, clock, tokens
        self._secret = credentials.app_secret.get_secret_value()
        self._lock = threading.Lock()
        self._pair: TokenPair | None = None
        self._unsaved: TokenPair | None = None
        self._asked = ("", 0)  # the refresh token last sent, and how often

    def auth_flow(self, request: httpx.Request) -> Flow:
        pair = yield from self._other_than("", request)
        response = yield self._signed(request, pair)
        if code_of(read(response)) in TOKEN_REFUSED:  # refused, hence not done: sending it again is safe
            pair = yield from self._other_than(pair.access, request)
            yield self._signed(request, pair)

    def _signed(self, request: httpx.Request, pair: TokenPair) -> httpx.Request:
        request.headers["access_token"] = pair.access
        if self._credentials.appsecret_proof:
            request.headers["appsecret_proof"] = proof(self._secret, pair.access)
        return request

    def _other_than(self, refused: str, request: httpx.Request) -> Renewal:
        """The pair in use, another process's included; a new one where that was refused or comes to its end."""
        with self._lock:
            if self._pair is None or not self._serves(self._pair, refused):
                self._pair = self._latest()
            if not self._serves(self._pair, refused):
                self._pair = yield from self._renew(self._pair, request)
            return self._pair

    def _serves(self, pair: TokenPair, refused: str) -> bool:
        ending = pair.ends is not None and self._clock.now() >= pair.ends - CLOSE
        return pair.access != refused and not ending

    def _latest(self) -> TokenPair:
        if self._unsaved is not None:
            return self._saved(self._unsaved)
        known = self._credentials
        first = TokenPair(access=known.access_token.get_secret_value(), refresh=known.refresh_token.get_secret_value())
        return self._tokens.read() or first

    def _renew(self, pair: TokenPair, request: httpx.Request) -> Renewal:
        self._count(pair.refresh)
        response = yield httpx.Request(
            "POST",
            token_url(request.url),
            headers={
                "secret_key": self._secret,
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept-Encoding": "identity",
            },
            content=urlencode(
                {"refresh_token": pair.refresh, "app_id": self._credentials.app_id, "grant_type": "refresh_token"}
            ).encode(),
            extensions=request.extensions,  # its timeouts
        )
        data = read(response)
        if isinstance(data, dict) and isinstance(data.get("access_token"), str) and data["access_token"]:
            return self._saved(self._made(data))
        newer = self._tokens.read()
        if newer is not None and newer.refresh != pair.refresh:  # another process was faster
            return newer
        raise self._failure(response, data)

    def _count(self, refresh: str) -> None:
        """Where the answers were lost, a third request would prove nothing: the next run finds out."""
        if not refresh:
            raise AuthorisationFailed("no-refresh-token", message=ENDED.message, next_step=ENDED.next_step)
        times = self._asked[1] if self._asked[0] == refresh else 0
        if times == ASKED_MOST:
            raise NotSent("refresh-unanswered")
        self._asked = (refresh, times + 1)

    def _saved(self, pair: TokenPair) -> TokenPair:
        """On disk before its first use; the old pair is dead already, so storing the new one is tried again."""
        self._unsaved = pair
        self._tokens.save(pair)
        self._unsaved = None
        return pair

    def _made(self, data: Mapping[str, Any]) -> TokenPair:
        now = self._clock.now()
        lives = min(timedelta(seconds=_seconds(data.get("expires_in"))), LONGEST)
        refresh = data.get("refresh_token")
        return TokenPair(
            access=data["access_token"],
            refresh=refresh if isinstance(refresh, str) else "",
            ends=now + lives,
            refresh_ends=now + REFRESH_LIVES,
        )

    def _failure(self, response: httpx.Response, data: Any) -> ConnectorError:
        """Nothing of the caller's request has left: no answer to a refresh leaves a doubt about it."""
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._asked = ("", 0)  # surely not used up
            return Throttled("429", retry_after=retry_after(response.headers, self._clock))
        if response.is_redirect:
            return Misconfigured("redirect", f"HTTP {response.status_code}", field="base_url")
        if response.is_server_error or not (isinstance(data, dict) and ("error" in data or "error_name" in data)):
            return NotSent("refresh", f"HTTP {response.status_code}")
        return refresh_refused(data)


def _seconds(value: Any) -> float:
    """A text in the documents, a number in some answers; without it the token is used until it is refused."""
    text = str(value)
    return min(float(text), 1e9) if text.isdecimal() and text.isascii() else LONGEST.total_seconds()


def read(response: httpx.Response) -> Any:
    """The JSON of the whole body, which stays in place for whoever reads the response next."""
    source = response.stream
    assert isinstance(source, httpx.SyncByteStream)  # noqa: S101  # only synchronous clients are built here
    body = b"".join(source)
    source.close()
    response.stream = httpx.ByteStream(body)
    return parse(body)


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
