"""Carries an hour's token of Login with Amazon, renewed before its end and once more where it is refused."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import Annotated, Literal

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.amazon.errors import login_error, ours
from connectors.amazon.marketplaces import HOSTS, MARKETPLACES, TRIAL, Marketplace
from connectors.fields import PictureAddress
from connectors.tokens import Flow, Granted, OneToken, Renewal, asking, bearing, granted
from models.clock import Clock

TOKEN_HOST, TOKEN_PATH = "api.amazon.com", b"/auth/o2/token"  # an address
EARLY = timedelta(seconds=60)
SIGNED_ADDRESSES = {"upload", "download", "schema"}  # operations whose address is the permission
TOKEN = "x-amz-access-token"  # noqa: S105  # a header's name
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


class _Bearer(Granted, frozen=True):
    token_type: Annotated[str, msgspec.Meta(pattern=r"^(?i:bearer)\Z")]


class LwaToken(httpx.Auth):
    """The refresh token stays the same, so the one in the credentials is the only one there is."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._token = OneToken(clock, self._renew, early=EARLY)

    def auth_flow(self, request: httpx.Request) -> Flow:
        if request.extensions.get("operation") in SIGNED_ADDRESSES:
            yield request
            return
        self._at_home(request.url.host)
        known = self._token.known

        def refused(response: httpx.Response) -> bool:
            """A token that is new is not the reason."""
            return response.status_code == httpx.codes.FORBIDDEN and request.headers[TOKEN] == known

        yield from bearing(self._token, request, self._carrying, refused)

    def _at_home(self, host: str) -> None:
        """A region's host knows only its own marketplaces. Raises before anything is sent to another."""
        mine = self._credentials.sold_in.host
        bare = host.removeprefix(TRIAL)
        if bare in HOSTS.values() and bare != mine:
            raise ours("other-region", mine)

    def _carrying(self, request: httpx.Request, token: str) -> httpx.Request:
        request.headers[TOKEN] = token
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
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        response = yield asking(request, token_address(request.url), headers=headers, data=form)
        return granted(response, _Bearer, self._clock, lambda r, data: login_error(r.status_code, data)).pair(asked)


def token_address(url: httpx.URL) -> httpx.URL:
    """Amazon's own where the account is a live one, else beside the simulated API, in the same folder."""
    if url.host.endswith(".amazon.com"):
        return httpx.URL(scheme="https", host=TOKEN_HOST, raw_path=TOKEN_PATH)
    root = ROOTS.search(url.raw_path)
    return url.copy_with(raw_path=url.raw_path[: root.start()] + TOKEN_PATH if root else TOKEN_PATH)
