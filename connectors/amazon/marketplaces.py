"""The marketplaces abroad that are sold in: whose host, whose currency, and in which tongue its English is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

HOSTS = {region: f"sellingpartnerapi-{region.lower()}.amazon.com" for region in ("NA", "EU", "FE")}
TRIAL = "sandbox."  # before a region's host: Amazon's own sandbox, which keeps nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Marketplace:
    id: str
    region: str
    currency: str
    language: str  # of our English texts

    @property
    def host(self) -> str:
        return HOSTS[self.region]


MARKETPLACES = {
    "US": Marketplace(id="ATVPDKIKX0DER", region="NA", currency="USD", language="en_US"),
    "SG": Marketplace(id="A19VAU5U5O7RUS", region="FE", currency="SGD", language="en_SG"),
    "AU": Marketplace(id="A39IBJ37TRP1C6", region="FE", currency="AUD", language="en_AU"),
    "JP": Marketplace(id="A1VC38T7YXB528", region="FE", currency="JPY", language="en_US"),  # assumed: takes English too
}
DECIMALS = {"USD": 2, "SGD": 2, "AUD": 2, "JPY": 0}
CURRENCIES = tuple(DECIMALS)


def money_text(amount: Decimal, currency: str) -> str:
    """With the currency's own decimals: 24.9 and 24.90 dollars are one price."""
    return f"{amount:.{DECIMALS[currency]}f}"
