"""Sends the token in a header, never in an address, and with it the proof that we know the app's secret."""

from __future__ import annotations

import hmac
from collections.abc import Generator

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from models.clock import Clock

SKU, PICTURE = "{sku}", "{sha256}"


class Credentials(BaseModel):
    """The last three are no secrets: where a buyer reads about an item, where Meta fetches its pictures, and the API's
    version, which is pinned: a call without one gets the oldest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    catalog_id: str = Field(pattern=r"^[0-9]{1,20}$")
    access_token: SecretStr = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    # Short enough that ten more pictures stay within Meta's 2,000 characters.
    product_page: str = Field(pattern=r"^https://\S+$", max_length=120)
    picture: str = Field(pattern=r"^https://\S+$", max_length=120)
    api_version: str = Field(default="v25.0", pattern=r"^v[0-9]{1,3}\.[0-9]$")

    @field_validator("access_token", "app_secret")
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
    if value.count(placeholder) != 1:
        raise ValueError(f"must hold {placeholder} once")
    return value


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


def proof(app_secret: str, access_token: str) -> str:
    return hmac.digest(app_secret.encode(), access_token.encode(), "sha256").hex()
