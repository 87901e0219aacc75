"""Signs every call: HMAC-SHA256 over path and parameters, in the query of a GET and the form of a POST."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Generator, Mapping
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from models.clock import Clock

ROOT = b"/rest"  # what stands before the path that is signed
TOKENS = "https://auth.lazada.com/rest"
BOUNDARY = re.compile(r'multipart/form-data; ?boundary="?([^";]+)"?')


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    app_key: str = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr | None = None


class SignedForms(httpx.Auth):
    """A caller gives all parameters in the query; where they belong and what the gateway adds is settled here.

    Holds no state but the credentials, so any number of threads may share it.
    """

    requires_request_body = True  # a picture's: it is not signed, but the fields go before it

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = {"access_token": self._credentials.access_token.get_secret_value()}
        yield self._signed(request, {**request.url.params, **token})

    def refresh(self, request: httpx.Request) -> httpx.Request:
        """The call that gives a new pair of tokens for the old one; nobody sends it yet, see README.md."""
        old = self._credentials.refresh_token
        asked = httpx.Request("POST", f"{TOKENS}/auth/token/refresh", extensions=request.extensions)
        return self._signed(asked, {"refresh_token": old.get_secret_value() if old else ""})

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
            body = _form(headers, body, fields)
        return httpx.Request(request.method, url, headers=headers, content=body, extensions=request.extensions)


def _form(headers: httpx.Headers, body: bytes, fields: Mapping[str, str]) -> bytes:
    """The fields before the picture, where there is one."""
    multipart = BOUNDARY.fullmatch(headers.get("Content-Type", ""))
    if multipart is None:
        headers["Content-Type"] = "application/x-www-form-urlencoded;charset=utf-8"
        return urlencode(fields).encode()
    head = f'--{multipart[1]}\r\nContent-Disposition: form-data; name="'
    return "".join(f'{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()).encode() + body


def sign(secret: str, path: str, fields: Mapping[str, str]) -> str:
    """Upper-case hex; `path` without /rest, raw values, keys in the order of their bytes."""
    text = path + "".join(f"{name}{fields[name]}" for name in sorted(fields) if name != "sign")
    return hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex().upper()


def is_genuine(app_key: str, secret: str, body: bytes, authorization: str) -> bool:
    """Whether a push message came from Lazada: lower-case hex over app key and raw body."""
    wanted = hmac.digest(secret.encode(), app_key.encode() + body, hashlib.sha256).hex()
    return hmac.compare_digest(wanted.encode(), authorization.encode())
