"""What a seed draws: which faults, and what people do to the catalogue."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from models import value
from models.catalogue import English, Image, Product
from tests.scenarios.world import priced, shrimp, stocked
from tests.simulation.schedule import Chances

PACK = "200 g"
REFUSED_WORDS = "chữa khỏi ho"  # a review refuses such a claim
NAME = "Tôm khô Rạch Gốc số"
IN_ENGLISH = ((NAME, "Dried shrimp no."), (" bản ", " edition "), (REFUSED_WORDS, "cures disease"))

CALM = Chances()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Which faults are on, and how often."""

    chances: Chances = CALM
    wire: float = 0.0  # of a fault, for each request
    lag: float = 0.0  # at most, of reads behind writes
    flaps: float = 0.0  # of a search that misses everything
    poison: bool = False
    restore: bool = False


PROFILES: dict[str, Profile] = {
    "none": Profile(),
    "light": Profile(chances=Chances(crash=0.001, pause=0.001), wire=0.03),
    "heavy": Profile(chances=Chances(crash=0.005, pause=0.005, orphan=0.04), wire=0.15, lag=4.0),
    "pause-heavy": Profile(chances=Chances(crash=0.002, pause=0.025, long_pause=0.7), wire=0.04),
    "crash-heavy": Profile(chances=Chances(crash=0.02, pause=0.002, orphan=0.1), wire=0.04),
    "takeover": Profile(chances=Chances(crash=0.001, pause=0.002, orphan=0.25), wire=0.02),
    "lag-heavy": Profile(chances=Chances(crash=0.006, pause=0.004), wire=0.08, lag=15.0, flaps=0.3),
    "poison": Profile(chances=Chances(crash=0.002, pause=0.002), wire=0.04, poison=True),
    "restore": Profile(chances=Chances(crash=0.004, pause=0.003), wire=0.04, restore=True),
}


class Catalogue:
    """The products as their owners see them."""

    def __init__(self, rng: random.Random, pictures: list[Image], wanted: dict[str, Any]) -> None:
        self._rng, self._pictures, self._wanted = rng, pictures, wanted
        self.products: dict[str, Product] = {}
        self.removed: set[str] = set()

    def first(self, count: int) -> list[Product]:
        return self.new(0, count)

    def new(self, number: int, count: int) -> list[Product]:
        return [
            named(shrimp(n, self._pictures[n % 3], price=100_000 + 1000 * n, stock=30 + n), f"{NAME} {n}")
            for n in range(number, number + count)
        ]

    def changed(self) -> list[Product]:
        """A few small edits; now and then a whole price list, or an empty store room."""
        rng, there = self._rng, [p for p in self.products if p not in self.removed]
        if not there:
            return []
        draw = rng.random()
        if draw < 0.06:
            factor = rng.choice((4, 0.2, 1.5, 0.6))
            some = rng.sample(there, rng.randrange(1, len(there) + 1))
            return [self._priced(self.products[p], lambda price: int(price * factor)) for p in some]
        if draw < 0.10:
            return [stocked(self.products[p], 0) for p in rng.sample(there, rng.randrange(1, len(there) + 1))]
        return [self._edited(self.products[p]) for p in rng.sample(there, min(len(there), rng.randrange(1, 4)))]

    def leaving(self) -> list[str]:
        """Products that go; now and then nearly all of them, as from an empty file."""
        rng, there = self._rng, [p for p in self.products if p not in self.removed]
        draw = rng.random()
        if draw < 0.08:
            return there if draw < 0.03 else rng.sample(there, len(there) * 4 // 5)
        return rng.sample(there, min(len(there), rng.randrange(1, 4))) if draw < 0.35 else []

    def returning(self) -> list[Product]:
        gone = sorted(self.removed)
        if not gone or self._rng.random() < 0.6:
            return []
        return [self.products[p] for p in self._rng.sample(gone, self._rng.randrange(1, len(gone) + 1))]

    def _edited(self, product: Product) -> Product:
        rng, wanted = self._rng, self._wanted[product.product_id]
        what = rng.random()
        if what < 0.4:
            return self._priced(product, lambda price: price * rng.randrange(92, 109) // 100 + rng.randrange(1, 900))
        if what < 0.7:
            return stocked(product, fresh(wanted.stocks, lambda: rng.randrange(1, 5000)))
        words = f" {REFUSED_WORDS}" if rng.random() < 0.06 else ""
        return named(product, f"{NAME} {int(product.product_id[2:])} bản {len(wanted.titles)}{words}")

    def _priced(self, product: Product, draw: Callable[[int], int]) -> Product:
        price = product.variants[0].price
        assert price is not None
        used = self._wanted[product.product_id].prices
        amount = draw(int(price.amount))
        while amount in used or amount < 1000:
            amount += 7
        return priced(product, amount)


def named(product: Product, name: str) -> Product:
    """With the texts for buyers abroad, whose title tells as much as the Vietnamese one."""
    english = English(name=_translated(name, IN_ENGLISH), description="Dried shrimp of Cà Mau", illustrative=True)
    return value.replace(product, name=name, english=english)


def vietnamese(title: str) -> str:
    return _translated(title, [(english, ours) for ours, english in IN_ENGLISH])


def _translated(text: str, words: Iterable[tuple[str, str]]) -> str:
    for old, new in words:
        text = text.replace(old, new)
    return text


def fresh(used: list[int], draw: Callable[[], int]) -> int:
    """A value this SKU never had: what a marketplace stores then tells which edit it came from."""
    while (drawn := draw()) in used:
        pass
    return drawn
