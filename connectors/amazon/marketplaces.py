"""The marketplaces abroad that are sold in: whose host, whose currency, and in which tongue its English is."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from models.text import WHOLE

HOSTS = {region: f"sellingpartnerapi-{region.lower()}.amazon.com" for region in ("NA", "EU", "FE")}
TRIAL = "sandbox."  # before a region's host: Amazon's own sandbox, which keeps nothing


class Marketplace(NamedTuple):
    id: str
    host: str
    currency: str
    language: str  # of our English texts


MARKETPLACES = {
    "US": Marketplace("ATVPDKIKX0DER", HOSTS["NA"], "USD", "en_US"),
    "SG": Marketplace("A19VAU5U5O7RUS", HOSTS["FE"], "SGD", "en_SG"),
    "AU": Marketplace("A39IBJ37TRP1C6", HOSTS["FE"], "AUD", "en_AU"),
    "JP": Marketplace("A1VC38T7YXB528", HOSTS["FE"], "JPY", "en_US"),  # assumed: takes English too
}
DECIMALS = {one.currency: 0 if one.currency in WHOLE else 2 for one in MARKETPLACES.values()}
CURRENCIES = tuple(DECIMALS)


def money_text(amount: Decimal, currency: str) -> str:
    """With the currency's own decimals: 24.9 and 24.90 dollars are one price."""
    return f"{amount:.{DECIMALS[currency]}f}"
