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


class _Link(msgspec.Struct, frozen=True):
    resource: str


class _Schema(msgspec.Struct, frozen=True):
    link: _Link
    checksum: str


class _Version(msgspec.Struct, frozen=True):
    version: str


class _Definition(msgspec.Struct, frozen=True, rename="camel"):
    product_type: str
    product_type_version: _Version
    schema: _Schema


class Definitions:
    """Kept for one run, by type and version: Amazon changes them on any day."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._versions: dict[str, tuple[str, str]] = {}  # type -> (version, address of its schema)
        self._schemas: dict[tuple[str, str], dict[str, Any]] = {}

    def check(self, product_type: str, attributes: dict[str, Any], *, whole: bool) -> None:
        """Raises Refused for what Amazon would refuse; only what is given is looked at unless it is the `whole`."""
        schema = self._schema(product_type)
        if not whole:
            schema = {name: schema[name] for name in ("$defs", "properties", "additionalProperties") if name in schema}
        errors = sorted(_validator()(schema).iter_errors(attributes), key=lambda error: list(map(str, error.path)))
        if errors:
            first = errors[0]
            name = str(first.path[0]) if first.path else _named(first.message, first.validator)
            raise ours("definition", first.message, MEANINGS.field(name))

    def _schema(self, product_type: str) -> dict[str, Any]:
        if product_type not in self._versions:
            self._versions[product_type] = self._version(product_type)
        version, address = self._versions[product_type]
        if (product_type, version) not in self._schemas:
            reply = self._session.call("schema", "GET", address)
            self._schemas[product_type, version] = reply.read(dict[str, Any])
        return self._schemas[product_type, version]

    def _version(self, product_type: str) -> tuple[str, str]:
        here = self._known.sold_in
        asked = {
            "marketplaceIds": here.id,
            "sellerId": self._known.seller_id,
            "requirements": "LISTING",
            "requirementsEnforced": "ENFORCED",
            "locale": here.language,
        }
        try:
            reply = self._session.call("definition", "GET", f"{PATH}/{product_type}", params=asked)
        except (Refused, Conflict):
            raise ours("product-type", product_type) from None
        found = reply.read(_Definition)
        if found.product_type != product_type:
            raise reply.other_shape("the product type asked for", reply.data)
        return found.product_type_version.version, found.schema.link.resource


def _named(message: str, validator: Any) -> str:
    """The attribute that is lacking: such an error has no path of its own."""
    return message.split("'")[1] if validator == "required" else ""


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
