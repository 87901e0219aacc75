"""What a product type asks for: its definition, read once in a run and held against every listing before it is sent."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from connectors.amazon.auth import Credentials
from connectors.amazon.errors import MEANINGS, ours
from connectors.errors import Conflict, Refused
from connectors.transport import Session

PATH = "definitions/2020-09-01/productTypes"


class Definitions:
    """Kept for one run, by type and version: Amazon changes them on any day."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._current: dict[str, tuple[str, str]] = {}  # by type: its version, and where its schema lies
        self._schemas: dict[tuple[str, str], dict[str, Any]] = {}

    def check(self, product_type: str, attributes: dict[str, Any], *, whole: bool) -> None:
        """Raises Refused for what Amazon would refuse; only what is given is looked at unless it is the `whole`."""
        schema = self._schema(product_type)
        if not whole:
            schema = {name: schema[name] for name in ("$defs", "properties", "additionalProperties") if name in schema}
        errors = sorted(_validator()(schema).iter_errors(attributes), key=lambda error: list(map(str, error.path)))
        for first in errors[:1]:
            raise ours("definition", first.message, MEANINGS.field(_attribute(first)))

    def _schema(self, product_type: str) -> dict[str, Any]:
        if product_type not in self._current:
            self._current[product_type] = self._version(product_type)
        version, address = self._current[product_type]
        if (product_type, version) not in self._schemas:
            schema = self._session.call("schema", "GET", address).read(dict[str, Any])
            self._schemas[product_type, version] = schema
        return self._schemas[product_type, version]

    def _version(self, product_type: str) -> tuple[str, str]:
        asked = {
            "marketplaceIds": self._known.sold_in.id,
            "sellerId": self._known.seller_id,
            "requirements": "LISTING",
            "requirementsEnforced": "ENFORCED",
            "locale": self._known.sold_in.language,
        }
        try:
            reply = self._session.call("definition", "GET", f"{PATH}/{product_type}", params=asked)
        except (Refused, Conflict):
            raise ours("product-type", product_type) from None
        if reply.text("productType") != product_type:
            raise reply.other_shape("the product type asked for", reply.data)
        return reply.text("productTypeVersion", "version"), reply.text("schema", "link", "resource")


def _attribute(error: Any) -> str:
    """The one it speaks of; one that is lacking has no path of its own."""
    lacking = error.message.split("'")[1] if error.validator == "required" else ""
    return str(error.path[0]) if error.path else lacking


@cache
def _validator() -> Any:
    """JSON Schema with Amazon's words for lengths in bytes and for instances that differ.

    Imported when the first listing is checked: it takes a tenth of a second, and other commands need none of it.
    """
    from jsonschema import Draft201909Validator, ValidationError, validators  # type: ignore[import-untyped]  # no types
    from referencing import Registry

    def most_bytes(_: Any, most: int, value: Any, __: Any) -> Any:
        if isinstance(value, str) and len(value.encode()) > most:
            yield ValidationError(f"{value[:40]!r}… has more than {most} bytes")

    def most_unique(_: Any, most: int, value: Any, __: Any) -> Any:
        if isinstance(value, list) and len({msgspec.json.encode(one, order="sorted") for one in value}) > most:
            yield ValidationError(f"more than {most} values")

    kind = validators.extend(Draft201909Validator, {"maxUtf8ByteLength": most_bytes, "maxUniqueItems": most_unique})
    return lambda schema: kind(schema, registry=Registry())  # an empty one: nothing is ever fetched for a reference
