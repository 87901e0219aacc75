"""Which category a product set goes to, read from the `categories.toml` that a connector keeps beside its code.

The file holds any number of

    [[category]]
    sets = [4, 8]      # the product sets that go there
    id = "12346"       # the marketplace's, as text or as a number
    name = "Mật ong"   # by which a client can compare it with the live tree
    attributes = { "Place of Origin" = "Viet Nam" }  # sent as they stand

with the fields that the connector's own subclass of Category adds. The first one also lends its values to an item that
goes nowhere, so that all its other problems can be told.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

SETS = range(1, 27)  # of the catalogue


class Category(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sets: list[int]
    id: int | str
    name: str
    attributes: dict[str, str] = {}


K = TypeVar("K", bound=Category)


class Categories(Generic[K]):
    def __init__(self, path: Path, kind: type[K]) -> None:
        told = tomllib.loads(path.read_text("utf-8"))["category"]
        found = [msgspec.convert(one, kind) for one in told]
        self.default = found[0]
        self.by_id = {category.id: category for category in found}
        self._by_set = {number: category for category in found for number in category.sets}

    @classmethod
    def beside(cls, module: str, kind: type[K]) -> Categories[K]:
        """Of the categories.toml in the folder of the module whose `__file__` this is."""
        return cls(Path(module).with_name("categories.toml"), kind)

    def of(self, set_no: int | None) -> K | None:
        return self._by_set.get(set_no or 0)

    def attributes(self, category: int | str) -> tuple[str, ...]:
        """Which of an item read back are ours."""
        known = self.by_id.get(category)
        return tuple(known.attributes if known else ())

    def unmapped(self) -> tuple[int, ...]:
        """The sets that are not sold there."""
        return tuple(number for number in SETS if self.of(number) is None)
