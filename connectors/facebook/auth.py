"""Sends the token in a header, never in an address, and with it the proof that we know the app's secret."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from pydantic import BaseModel, ConfigDict, Field

from connectors.fields import HeaderSecret, PictureAddress, ProductPage
from connectors.tokens import proof
from models.clock import Clock


class Credentials(BaseModel):
    """The last three are no secrets: where a buyer reads about an item, where Meta fetches its pictures, and the API's
    version, which is pinned: a call without one gets the oldest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    catalog_id: str = Field(pattern=r"^[0-9]{1,20}$")
    access_token: HeaderSecret
    app_secret: HeaderSecret
    # Short enough that ten more pictures stay within Meta's 2,000 characters.
    product_page: ProductPage = Field(max_length=120)
    picture: PictureAddress = Field(max_length=120)
    api_version: str = Field(default="v25.0", pattern=r"^v[0-9]{1,3}\.[0-9]$")


class ProvenRequests(httpx.Auth):
    """Holds no state, so any number of threads may share it; a system user's token does not expire."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._token = credentials.access_token.get_secret_value()
        self._proof = proof(credentials.app_secret.get_secret_value(), self._token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The proof may stand in the address, as the official SDK has it: without the token it opens nothing."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        request.url = request.url.copy_merge_params({"appsecret_proof": self._proof})
        yield request
