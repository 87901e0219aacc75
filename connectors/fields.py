"""Fields that the credentials of several marketplaces have: secrets that go into a header, and public addresses."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

SKU, PICTURE = "{sku}", "{sha256}"


def _is_ascii(value: SecretStr) -> SecretStr:
    if not all("!" <= sign <= "~" for sign in value.get_secret_value()):
        raise ValueError("only printable ASCII characters without blanks")
    return value


def _names_sku(value: str) -> str:
    return _with(SKU, value)


def _names_picture(value: str) -> str:
    return _with(PICTURE, value)


def _with(placeholder: str, value: str) -> str:
    if value.count(placeholder) != 1 or not value.isascii():
        raise ValueError(f"must hold {placeholder} once, and only ASCII characters")
    return value


_ADDRESS = Field(pattern=r"^https://\S+$")
HeaderSecret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_is_ascii)]
ProductPage = Annotated[str, _ADDRESS, AfterValidator(_names_sku)]  # where a buyer reads about an item
PictureAddress = Annotated[str, _ADDRESS, AfterValidator(_names_picture)]  # where a marketplace fetches its pictures
