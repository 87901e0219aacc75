"""The gateway of Alibaba's Open Platforms (IOP): signed forms, tokens that renew themselves, and its own codes."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.bodies import peek
from connectors.errors import ConnectorError, OtherShape, Refused, Throttled, Unanswered, unlisted
from connectors.meanings import WORDS, Meanings
from connectors.tokens import Flow, Renewal, Rotation, TokenPair, Tokens, after, asking, bearing, granted
from connectors.typed import Whole
from models.clock import Clock

OK = "0"
ROOT = b"/rest"  # what stands before the path that is signed
REFRESH = "/auth/token/refresh"
ILLEGAL_TOKEN = "IllegalAccessToken"  # noqa: S105  # an error code
FORM = "application/x-www-form-urlencoded;charset=utf-8"
GATEWAY = Meanings(Path(__file__).with_name("iop.toml"))
BAN = re.compile(r"ban will last (\d+) second")
BOUNDARY = re.compile(r'multipart/form-data; ?boundary="?([^";]+)"?')


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    app_key: str = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr | None = None


class Renewed(msgspec.Struct):
    """The answer to a renewal."""

    access_token: str
    refresh_token: str
    expires_in: Whole
    refresh_expires_in: Whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """Where one platform differs: its codes, whose root renews tokens, and how long before their end."""

    classify: Callable[[httpx.Response, Any], Exception | None]
    token_root: Callable[[httpx.URL], str]
    early: timedelta

    def auth(self, credentials: Credentials, clock: Clock, tokens: Tokens) -> SignedForms:
        return SignedForms(credentials, clock, tokens, self)


class SignedForms(httpx.Auth):
    """A caller gives all parameters in the query or a form; where they belong and what is added is settled here.

    An access token is renewed some time before its end, or once it is refused. Any number of threads may share it.
    """

    requires_request_body = True  # a picture's: it is not signed, but the fields go before it

    def __init__(self, credentials: Credentials, clock: Clock, tokens: Tokens, gateway: Gateway) -> None:
        self._credentials, self._clock, self._gateway = credentials, clock, gateway
        refresh = credentials.refresh_token.get_secret_value() if credentials.refresh_token else ""
        first = TokenPair(access=credentials.access_token.get_secret_value(), refresh=refresh)
        self._rotation = Rotation(tokens, first, clock, self._renew, early=gateway.early)

    def auth_flow(self, request: httpx.Request) -> Flow:
        return bearing(self._rotation, request, self._carrying, lambda r: _code(peek(r)) == ILLEGAL_TOKEN)

    def _carrying(self, request: httpx.Request, token: str) -> httpx.Request:
        return self._signed(request, {**_given(request), "access_token": token})

    def _renew(self, request: httpx.Request, old: TokenPair) -> Renewal:
        asked = asking(request, httpx.URL(self._gateway.token_root(request.url) + REFRESH))
        response = yield self._signed(asked, {"refresh_token": old.refresh})
        return self._pair(granted(response, Renewed, self._clock, self._gateway.classify), old)

    def _pair(self, new: Renewed, old: TokenPair) -> TokenPair:
        """Whether a renewal lengthens the refresh token's own life is told in two ways: the earlier end counts.

        0 says that the pair cannot be renewed again: then the authorisation ends with the access token.
        """
        now, renewable = self._clock.now(), int(new.refresh_expires_in) > 0
        ends = after(now, int(new.expires_in))
        refresh_ends = after(now, int(new.refresh_expires_in)) if renewable else ends
        kept = old.refresh_ends if renewable and new.refresh_token == old.refresh else None
        return TokenPair(
            access=new.access_token,
            refresh=new.refresh_token if renewable else "",
            ends=ends,
            refresh_ends=min(filter(None, (refresh_ends, kept))),
        )

    def _signed(self, request: httpx.Request, given: Mapping[str, str]) -> httpx.Request:
        path, query = request.url.raw_path.partition(b"?")[0], b""
        fields = {**given, "app_key": self._credentials.app_key, "sign_method": "sha256"}
        fields["timestamp"] = str(int(self._clock.now().timestamp() * 1000))
        secret = self._credentials.app_secret.get_secret_value()
        fields["sign"] = sign(secret, path.rpartition(ROOT)[2].decode(), fields)
        if request.method == "GET":
            query = b"?" + urlencode(fields).encode()
        url = request.url.copy_with(raw_path=path + query)
        headers, body = request.headers.copy(), request.content
        headers.pop("Content-Length", None)
        if request.method == "POST":
            body = _body(headers, body, fields)
        return httpx.Request(request.method, url, headers=headers, content=body, extensions=request.extensions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """A platform's own codes, and those of the gateway behind them.

    What matches `final` speaks of one product's data: it is refused even where the file lacks it. `umbrellas` are told
    apart by the words beside them.
    """

    own: Meanings
    final: re.Pattern[str]
    umbrellas: frozenset[str] = frozenset()

    def error(self, code: str, words: str, everything: str = "", field: str = "") -> ConnectorError:
        """`everything` is all that was said, of which `words` are for people."""
        everything = everything or words
        meaning = self.own.of(code) or GATEWAY.of(code)
        if meaning is None or code in self.umbrellas:
            meaning = self.own.of(code, everything) or meaning
        if meaning is None:
            kind = Refused if self.final.fullmatch(code) else Unanswered
            return unlisted(kind(code, words[:WORDS]))
        error = meaning.error(code, words, field=field)
        if isinstance(error, Throttled) and (ban := BAN.search(everything)):
            error.retry_after = float(ban[1])
        return error


def without_envelope(response: httpx.Response, data: Any) -> ConnectorError | None:
    """Where something before the platform answered; what it says itself comes with HTTP 200."""
    status = f"HTTP {response.status_code}"
    if meaning := GATEWAY.of(status):
        return meaning.error(status)
    if response.status_code != httpx.codes.OK or not isinstance(data, dict):
        return OtherShape("no-envelope", status)
    return None


def token_root(url: httpx.URL) -> str:
    """The root that `url` itself lies under: the sandbox, behind its folder, has everything in one place."""
    root = url.raw_path.partition(b"?")[0].rpartition(ROOT)[0].decode()
    return f"{url.scheme}://{url.netloc.decode()}{root}{ROOT.decode()}"


def form(**fields: str) -> dict[str, Any]:
    """The arguments of a call that sends them: a listing is longer than an address may be."""
    return {"content": urlencode(fields).encode(), "headers": {"Content-Type": FORM}}


def as_text(value: Any) -> str:
    """JSON: lists and objects are text in one field."""
    return msgspec.json.encode(value).decode()


def _code(data: Any) -> str:
    return str(data.get("code")) if isinstance(data, dict) else ""


def _given(request: httpx.Request) -> dict[str, str]:
    """A long text is given in a form: httpx takes no query beyond 64 KiB."""
    form = request.content.decode() if request.headers.get("Content-Type") == FORM else ""
    return {**request.url.params, **dict(parse_qsl(form, keep_blank_values=True))}


def _body(headers: httpx.Headers, body: bytes, fields: Mapping[str, str]) -> bytes:
    """The fields before the picture, where there is one."""
    multipart = BOUNDARY.fullmatch(headers.get("Content-Type", ""))
    if multipart is None:
        headers["Content-Type"] = FORM
        return urlencode(fields).encode()
    head = f'--{multipart[1]}\r\nContent-Disposition: form-data; name="'
    return "".join(f'{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()).encode() + body


def sign(secret: str, path: str, fields: Mapping[str, str]) -> str:
    """Upper-case hex; `path` without /rest, raw values, keys in the order of their bytes."""
    text = path + "".join(f"{name}{fields[name]}" for name in sorted(fields) if name != "sign")
    return hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex().upper()


def is_genuine(app_key: str, secret: str, body: bytes, authorization: str) -> bool:
    """Whether a push message came from the platform: lower-case hex over app key and raw body."""
    wanted = hmac.digest(secret.encode(), app_key.encode() + body, hashlib.sha256).hex()
    return hmac.compare_digest(wanted.encode(), authorization.encode())
