"""Facets as Amazon's attributes of one marketplace, and read back from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.addresses import Addresses
from connectors.amazon.mapping import PICTURES, PRODUCT_TYPES, Attributes, figure
from connectors.amazon.marketplaces import Marketplace, money_text
from models.listing import Facets
from models.text import nfc

SPOKEN = ("item_name", "brand", "manufacturer", "product_description", "bullet_point")  # have a language of their own
BARCODES = ("externally_assigned_product_identifier", "supplier_declared_has_product_identifier_exemption")
SAID = sorted({name for kind in PRODUCT_TYPES.by_id.values() for name in kind.attributes})
CONTENT = (*SPOKEN, *BARCODES, *SAID, "fc_shelf_life", "is_expiration_dated_product", "unit_count")
LINKS = ("main_product_image_locator", *(f"other_product_image_locator_{n}" for n in range(1, PICTURES.most)))
OFFER, LIST_PRICE, STOCK = "purchasable_offer", "list_price", "fulfillment_availability"
OPTIONAL = {"content": BARCODES, "images": LINKS}
CHANNEL = {"fulfillment_channel_code": "DEFAULT"}  # the seller sends the parcels
LOCAL = ("marketplace_id", "language_tag")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tongue:
    """One account's marketplace, and where its pictures lie."""

    marketplace: Marketplace
    pictures: Addresses

    def attributes(self, listing: Facets, facets: Iterable[str]) -> Attributes:
        made = (getattr(self, f"_{facet}")(listing[facet]) for facet in facets)
        return {name: value for attributes in made for name, value in attributes.items()}

    def patches(self, made: Attributes, facets: Iterable[str]) -> list[dict[str, Any]]:
        """Every attribute of these facets: what is not there any more is taken away."""
        gone = [name for facet in facets for name in OPTIONAL.get(facet, ()) if name not in made]
        patches = [_patch("replace", name, value) for name, value in made.items()]
        return patches + [_patch("delete", name, [self._here]) for name in gone]

    def withdrawal(self, attributes: Mapping[str, Any], at: datetime) -> list[dict[str, Any]]:
        """The offer as it stands, ended, and nothing in stock: the listing, its reviews and its SKU stay.

        A delete would lose them, and the same SKU may be refused for a day after it.
        """
        ended = {"end_at": {"value": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}
        offers = [offer | ended for offer in self._mine(attributes, OFFER)]
        stock = _patch("replace", STOCK, [CHANNEL | {"quantity": 0}])
        return [*([_patch("replace", OFFER, offers)] if offers else []), stock]

    def facets(self, attributes: Mapping[str, Any], product_type: str) -> Facets:
        """As they were sent, whatever Amazon adds of its own. A price that is not there or cannot be read is an empty
        text, which never passes for the right one."""
        said = {name: [_bare(one) for one in self._mine(attributes, name)] for name in CONTENT}
        offer = next(iter(self._mine(attributes, OFFER)), {})
        before = next(iter(self._mine(attributes, LIST_PRICE)), {})
        stocks = [one for one in _instances(attributes, STOCK) if CHANNEL.items() <= one.items()]
        return {
            "content": {"product_type": product_type, "attributes": {name: one for name, one in said.items() if one}},
            "price": {
                "currency": str(offer.get("currency", "")),
                "amount": _amount(_asked(offer), offer),
                "list": _amount(before.get("value"), before),
            },
            "stock": {"quantity": next((one.get("quantity") for one in stocks), None)},
            "images": [
                self.pictures.sha256(str(one.get("media_location")))
                for name in LINKS
                for one in self._mine(attributes, name)
            ],
        }

    def ended(self, attributes: Mapping[str, Any], now: datetime) -> bool:
        """Whether nobody can buy it, because its offer is over or was never there."""
        return all(_over(offer.get("end_at"), now) for offer in self._mine(attributes, OFFER))

    # One facet each

    def _content(self, content: Facets) -> Attributes:
        return {name: [self._said(name, one) for one in values] for name, values in content["attributes"].items()}

    def _price(self, price: Facets) -> Attributes:
        currency = {**self._here, "currency": price["currency"]}
        schedule = [{"schedule": [{"value_with_tax": figure(Decimal(price["amount"]))}]}]
        return {
            OFFER: [{**currency, "audience": "ALL", "our_price": schedule}],
            LIST_PRICE: [{**currency, "value": figure(Decimal(price["list"]))}],
        }

    def _stock(self, stock: Facets) -> Attributes:
        return {STOCK: [CHANNEL | stock]}

    def _images(self, images: list[str]) -> Attributes:
        links = [{"media_location": self.pictures.photo(sha256), **self._here} for sha256 in images]
        return {name: [link] for name, link in zip(LINKS, links, strict=False)}

    @property
    def _here(self) -> dict[str, Any]:
        return {"marketplace_id": self.marketplace.id}

    def _said(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        tongue = {"language_tag": self.marketplace.language}
        said = {**value, **self._here, **(tongue if name in SPOKEN else {})}
        return said | ({"type": value["type"] | tongue} if name == "unit_count" else {})

    # Reading

    def _mine(self, attributes: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """The instances of this marketplace, in our language where they have one, for all buyers where for some."""
        ours = {**self._here, "language_tag": self.marketplace.language, "audience": "ALL"}
        found = _instances(attributes, name)
        return [one for one in found if all(one.get(key, wanted) == wanted for key, wanted in ours.items())]


def _instances(attributes: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = attributes.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _patch(op: str, name: str, value: list[dict[str, Any]]) -> dict[str, Any]:
    return {"op": op, "path": f"/attributes/{name}", "value": value}


def _bare(value: Any) -> Any:
    """Without marketplace and language, all the way down."""
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name not in LOCAL}
    if isinstance(value, str):
        return nfc(value)
    return figure(value) if isinstance(value, float) else value


def _asked(offer: Mapping[str, Any]) -> Any:
    """What all buyers pay; a discount schedule is no price."""
    match offer.get("our_price"):
        case [{"schedule": [{"value_with_tax": price}]}]:
            return price


def _amount(value: Any, of: Mapping[str, Any]) -> str:
    try:
        amount = Decimal(str(value))
        text = money_text(amount, str(of.get("currency")))
    except (InvalidOperation, KeyError):
        return ""
    return text if Decimal(text) == amount else str(amount)


def _over(end: Any, now: datetime) -> bool:
    try:
        return isinstance(end, dict) and datetime.fromisoformat(str(end.get("value"))) <= now
    except (ValueError, TypeError):  # no instant, or one without its zone
        return False
