"""Facets as Amazon's attributes of one marketplace, and read back from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.amazon.mapping import MAX_IMAGES, Attributes, plain
from connectors.amazon.marketplaces import DECIMALS, Marketplace, money_text
from connectors.fields import PICTURE
from models.listing import Facets
from models.text import nfc

SPOKEN = {"item_name", "brand", "manufacturer", "product_description", "bullet_point"}  # have a language of their own
EITHER_OR = {"externally_assigned_product_identifier", "supplier_declared_has_product_identifier_exemption"}
NOT_ALWAYS = {*EITHER_OR, "product_expiration_type", "fc_shelf_life"}
CONTENT = (
    *sorted(SPOKEN), *sorted(NOT_ALWAYS), "country_of_origin", "condition_type", "supplier_declared_dg_hz_regulation",
    "is_expiration_dated_product", "unit_count",
)  # fmt: skip
PICTURES = ("main_product_image_locator", *(f"other_product_image_locator_{n}" for n in range(1, MAX_IMAGES)))
OFFER, LIST_PRICE, STOCK = "purchasable_offer", "list_price", "fulfillment_availability"
CHANNEL = "DEFAULT"  # the seller sends the parcels
LOCAL = ("marketplace_id", "language_tag")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tongue:
    """One account's marketplace, and where its pictures lie."""

    marketplace: Marketplace
    picture: str

    def attributes(self, listing: Facets, facets: Iterable[str]) -> Attributes:
        made: Attributes = {}
        for facet in facets:
            made |= getattr(self, f"_{facet}")(listing[facet])
        return made

    def patches(self, listing: Facets, facets: Iterable[str]) -> list[dict[str, Any]]:
        """Every attribute of these facets: what is not there any more is taken away."""
        facets = tuple(facets)
        made = self.attributes(listing, facets)
        optional = (*sorted(NOT_ALWAYS),) * ("content" in facets) + PICTURES * ("images" in facets)
        gone = [{"marketplace_id": self.marketplace.id}]
        patches = [_patch("replace", name, value) for name, value in made.items()]
        return patches + [_patch("delete", name, gone) for name in optional if name not in made]

    def withdrawal(self, attributes: Mapping[str, Any], at: datetime) -> list[dict[str, Any]]:
        """The offer as it stands, ended, and nothing in stock: the listing, its reviews and its SKU stay.

        A delete would lose them, and the same SKU may be refused for a day after it.
        """
        ended = {"end_at": {"value": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}
        offers = [offer | ended for offer in self._mine(attributes, OFFER)]
        stock = _patch("replace", STOCK, _in_stock(0))
        return [*([_patch("replace", OFFER, offers)] if offers else []), stock]

    def facets(self, attributes: Mapping[str, Any], product_type: str) -> Facets:
        """As they were sent, whatever Amazon adds of its own."""
        said = {name: [_bare(one) for one in self._mine(attributes, name)] for name in CONTENT}
        return {
            "content": {"product_type": product_type, "attributes": {name: one for name, one in said.items() if one}},
            "price": self._read_price(attributes),
            "stock": {"quantity": _quantity(attributes)},
            "images": [self._sha256(one.get("media_location")) for p in PICTURES for one in self._mine(attributes, p)],
        }

    def ended(self, attributes: Mapping[str, Any], now: datetime) -> bool:
        """Whether nobody can buy it, because its offer is over or was never there."""
        offers = self._mine(attributes, OFFER)
        return not offers or all(_over(offer.get("end_at"), now) for offer in offers)

    # One facet each

    def _content(self, content: Facets) -> Attributes:
        return {name: [self._said(name, one) for one in values] for name, values in content["attributes"].items()}

    def _price(self, price: Facets) -> Attributes:
        currency, here = price["currency"], {"marketplace_id": self.marketplace.id}
        schedule = [{"schedule": [{"value_with_tax": _number(price["amount"])}]}]
        offer = {**here, "currency": currency, "audience": "ALL", "our_price": schedule}
        return {OFFER: [offer], LIST_PRICE: [{**here, "currency": currency, "value": _number(price["list"])}]}

    def _stock(self, stock: Facets) -> Attributes:
        return {STOCK: _in_stock(stock["quantity"])}

    def _images(self, images: list[str]) -> Attributes:
        here = {"marketplace_id": self.marketplace.id}
        links = [{"media_location": self.picture.replace(PICTURE, sha256), **here} for sha256 in images]
        return {name: [link] for name, link in zip(PICTURES, links, strict=False)}

    def _said(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        tongue = {"language_tag": self.marketplace.language}
        said = {**value, "marketplace_id": self.marketplace.id, **(tongue if name in SPOKEN else {})}
        return said | ({"type": value["type"] | tongue} if name == "unit_count" else {})

    # Reading

    def _mine(self, attributes: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """The instances of this marketplace, in our language where they have one, for all buyers where for some."""
        found = attributes.get(name)
        known = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        ours = {"marketplace_id": self.marketplace.id, "language_tag": self.marketplace.language, "audience": "ALL"}
        return [one for one in known if all(one.get(key, wanted) == wanted for key, wanted in ours.items())]

    def _read_price(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Empty texts where there is none, or none that can be read: that never passes for the right one."""
        offer = next(iter(self._mine(attributes, OFFER)), {})
        before = next(iter(self._mine(attributes, LIST_PRICE)), {})
        currency = str(offer.get("currency", ""))
        return {
            "currency": currency,
            "amount": _money(_inner(offer, "our_price", "schedule", "value_with_tax"), currency),
            "list": _money(before.get("value"), str(before.get("currency", ""))),
        }

    def _sha256(self, link: Any) -> str:
        """Our name of the picture; a foreign one keeps its address, and so differs."""
        before, _, after = self.picture.partition(PICTURE)
        found = re.fullmatch(re.escape(before) + "([0-9a-f]{64})" + re.escape(after), str(link))
        return found.group(1) if found else str(link)


def _patch(op: str, name: str, value: list[dict[str, Any]]) -> dict[str, Any]:
    return {"op": op, "path": f"/attributes/{name}", "value": value}


def _in_stock(quantity: int) -> list[dict[str, Any]]:
    return [{"fulfillment_channel_code": CHANNEL, "quantity": quantity}]


def _number(text: str) -> int | float:
    return plain(Decimal(text))


def _bare(value: Any) -> Any:
    """Without marketplace and language, all the way down."""
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name not in LOCAL}
    if isinstance(value, str):
        return nfc(value)
    return plain(value) if isinstance(value, float) else value


def _inner(value: Any, *names: str) -> Any:
    """The value below these names, where each list on the way has one member; a discount schedule is no price."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list):
            value = value[0] if len(value) == 1 else None
    return value


def _money(value: Any, currency: str) -> str:
    if currency not in DECIMALS or isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return ""
    text = money_text(amount, currency)
    return text if Decimal(text) == amount else str(amount)


def _quantity(attributes: Mapping[str, Any]) -> int | None:
    found = attributes.get(STOCK)
    channels = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return next((one.get("quantity") for one in channels if one.get("fulfillment_channel_code") == CHANNEL), None)


def _over(end: Any, now: datetime) -> bool:
    try:
        return isinstance(end, dict) and datetime.fromisoformat(str(end.get("value"))) <= now
    except (ValueError, TypeError):  # no instant, or one without its zone
        return False
