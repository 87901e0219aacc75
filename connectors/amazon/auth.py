"""Carries an hour's token of Login with Amazon, renewed before its end and once more where it is refused."""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.amazon.errors import login_error, ours
from connectors.amazon.marketplaces import HOSTS, MARKETPLACES, TRIAL, Marketplace
from connectors.bodies import parse
from connectors.errors import NotSent, Throttled
from connectors.fields import PictureAddress
from connectors.rate_headers import retry_after
from connectors.tokens import OneToken, Renewal, TokenPair
from connectors.typed import typed
from models.clock import Clock

TOKEN_HOST, TOKEN_PATH = "api.amazon.com", b"/auth/o2/token"  # an address
EARLY = timedelta(seconds=60)
SIGNED_ADDRESSES = {"upload", "download", "schema"}  # operations whose address is the permission
AGENT = "CayBeo/1.0 (Language=Python)"
ROOTS = re.compile(rb"/(listings|feeds|definitions)/20\d\d-")  # of the API, each with its version


class Credentials(BaseModel):
    """One seller on one marketplace; `picture` is where Amazon fetches a picture by its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marketplace: Literal["US", "SG", "AU", "JP"]
    seller_id: str = Field(pattern=r"^A[A-Z0-9]{5,30}$")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = Field(min_length=1)
    picture: PictureAddress = Field(max_length=500)

    @property
    def sold_in(self) -> Marketplace:
        return MARKETPLACES[self.marketplace]


class _Granted(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z")]  # it goes into a header
    token_type: Annotated[str, msgspec.Meta(pattern=r"^(?i:bearer)\Z")]
    expires_in: Annotated[int, msgspec.Meta(gt=0)]  # seconds


class LwaToken(httpx.Auth):
    """The refresh token stays the same, so the one in the credentials is the only one there is."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._renew, early=EARLY)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if request.extensions.get("operation") in SIGNED_ADDRESSES:
            yield request
            return
        self._at_home(request.url.host)
        known, token = self._token.known, (yield from self._token.access(request))
        response = yield self._bearing(token, request)
        if response.status_code == httpx.codes.FORBIDDEN and token == known:  # one that is new is not the reason
            yield self._bearing((yield from self._token.access(request, refused=token)), request)

    def _at_home(self, host: str) -> None:
        """A region's host knows only its own marketplaces. Raises before anything is sent to another."""
        mine = self._credentials.sold_in.host
        bare = host.removeprefix(TRIAL)
        if bare in HOSTS.values() and bare != mine:
            raise ours("other-region", mine)

    def _bearing(self, token: str, request: httpx.Request) -> httpx.Request:
        request.headers["x-amz-access-token"] = token
        request.headers["x-amz-date"] = self._clock.now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        request.headers["User-Agent"] = AGENT
        return request

    def _renew(self, request: httpx.Request) -> Renewal:
        asked, known = self._clock.now(), self._credentials
        form = {
            "grant_type": "refresh_token",
            "refresh_token": known.refresh_token.get_secret_value(),
            "client_id": known.client_id,
            "client_secret": known.client_secret.get_secret_value(),
        }
        response = yield httpx.Request(
            "POST",
            token_address(request.url),
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"},
            content=urlencode(form).encode(),
            extensions=request.extensions,  # its timeouts
        )
        granted = self._granted(response, parse(response.read()))
        return TokenPair(access=granted.access_token, ends=asked + timedelta(seconds=granted.expires_in))

    def _granted(self, response: httpx.Response, data: Any) -> _Granted:
        """Nothing of the caller's request has left: no answer to a renewal leaves a doubt about it."""
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("429", retry_after=retry_after(response.headers, self._clock))
        if refused := login_error(status, data):
            raise refused
        try:
            return typed(data if status == httpx.codes.OK else None, _Granted)
        except msgspec.ValidationError:
            raise NotSent("login", f"HTTP {status}") from None


def token_address(url: httpx.URL) -> httpx.URL:
    """Amazon's own where the account is a live one, else beside the simulated API, in the same folder."""
    if url.host.endswith(".amazon.com"):
        return httpx.URL(scheme="https", host=TOKEN_HOST, raw_path=TOKEN_PATH)
    root = ROOTS.search(url.raw_path)
    return url.copy_with(raw_path=url.raw_path[: root.start()] + TOKEN_PATH if root else TOKEN_PATH)
