"""The marketplace's own categories, compared with our table before anything is sent: a number may have come to mean
something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Generic, TypeVar

from connectors.categories import Categories, Category
from connectors.meanings import Meanings
from models.text import fold

K = TypeVar("K", bound=Category)
S = TypeVar("S")


class LiveTree(Generic[K, S]):
    """`leaves` reads the names of the leaves around a category, by number; `schema` what a leaf wants of an item. Each
    is asked once."""

    def __init__(
        self,
        ours: Categories[K],
        meanings: Meanings,
        leaves: Callable[[K], Mapping[str, str]],
        schema: Callable[[int | str], S],
    ) -> None:
        self._ours, self._meanings = ours, meanings
        self._leaves, self._schema = leaves, cache(schema)

    def check(self, number: int | str, lacks: Callable[[S], Sequence[str]]) -> None:
        """Raises Refused where the live category is another than ours, or `lacks` names what it would miss."""
        known = self._ours.by_id.get(number)
        if known is None or fold(self._leaves(known).get(str(number), "")) != fold(known.name):
            raise self._meanings["category"].error("category-unknown", str(number))
        if missed := lacks(self._schema(number)):
            raise self._meanings["attribute"].error("attribute-missing", ", ".join(missed))
