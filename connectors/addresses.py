"""The shop's own public addresses: a product is recognised by its page, a picture by where it lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from connectors.fields import PICTURE, SKU

SHA256 = "([0-9a-f]{64})"


@dataclass(frozen=True, slots=True)
class Addresses:
    page: str
    picture: str

    def link(self, sku: str) -> str:
        return self.page.replace(SKU, quote(sku, safe=""))

    def key(self, link: str) -> str:
        """The SKU whose page it is; empty for what shows no product of ours."""
        return unquote(_held(self.page, SKU, r"([^/?#&\s]+)", link))

    def photo(self, sha256: str) -> str:
        """A foreign picture is known by its address alone."""
        return self.picture.replace(PICTURE, sha256) if re.fullmatch(SHA256, sha256) else sha256

    def sha256(self, photo: str) -> str:
        """Our name of the picture; a foreign one keeps its address, and so differs."""
        return _held(self.picture, PICTURE, SHA256, photo) or photo


def _held(template: str, placeholder: str, pattern: str, address: str) -> str:
    before, _, after = template.partition(placeholder)
    found = re.fullmatch(re.escape(before) + pattern + re.escape(after), address)
    return found[1] if found else ""
