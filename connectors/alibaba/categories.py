"""Which of Alibaba.com's categories a product set goes to, and on what terms it is offered there.

Assumed [A, November 2026]: the tree needs an app key, so no number, name or attribute below was read there. The client
compares each with the live tree before it sends a text, and refuses where they differ. The terms of sale are defaults
of ours: a minimum order of one carton, at the record's own price whatever the quantity.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """A leaf under `parent`. `carton` is how many are ordered at least, `keyword` what buyers search for."""

    id: int
    name: str
    keyword: str
    parent: int = 2
    attributes: dict[str, str] = field(default_factory=lambda: {"Place of Origin": "Viet Nam"})
    carton: int = 20
    unit: str = "Pack"
    box: tuple[int, int, int] = (20, 15, 10)  # length, width and height of one in cm
    weight: str = "0.5"  # kg, where the pack does not say


DEFAULT = Category(id=100009001, name="Other Food & Beverage", keyword="vietnamese specialty food")
FOOD = range(1, 14)
TEA = Category(id=100009006, name="Herbal Tea", keyword="herbal tea", carton=50)
DRINK = Category(
    id=100009008, name="Soft Drinks", keyword="vietnamese drink", unit="Piece", carton=24, box=(10, 10, 25)
)
CRAFT = Category(
    id=100009009, name="Folk Crafts", keyword="vietnamese handicraft", parent=17, unit="Piece", carton=10, weight="1"
)
BY_SET: dict[int, Category] = {
    4: Category(id=100009003, name="Honey", keyword="natural honey", unit="Piece", carton=24),
    8: Category(id=100009031, name="Dried Seafood", keyword="dried seafood"),
    9: Category(id=100009004, name="Sauce", keyword="fish sauce", unit="Piece", carton=24, box=(10, 10, 25)),
    10: Category(id=100009005, name="Seasonings & Condiments", keyword="seasoning", carton=50),
    **dict.fromkeys((11, 12), TEA),
    13: Category(id=100009007, name="Coffee", keyword="vietnamese coffee"),
    **dict.fromkeys((16, 17), DRINK),
    **dict.fromkeys((21, 22), CRAFT),
}
SETS = range(1, 27)
BY_ID = {category.id: category for category in (DEFAULT, *BY_SET.values())}


def category_of(set_no: int | None) -> Category | None:
    return BY_SET.get(set_no or 0) or (DEFAULT if set_no in FOOD else None)


def unmapped() -> tuple[int, ...]:
    """The sets that are not sold there: 14 and 15 are alcohol, 18 to 20 want proofs for food supplements, cosmetics and
    herbs that no document names, 23 to 26 are plants, animals and services.
    """
    return tuple(number for number in SETS if category_of(number) is None)
