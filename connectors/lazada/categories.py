"""Which of Lazada's categories a product set goes to, and what a parcel of it is assumed to measure.

Assumed [A, November 2026]: Lazada shows its tree only to an app with a key, so no number below was read there. The
client therefore compares number and name with the live tree before it creates anything, and refuses where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """A leaf; `attributes` are sent as they stand, for those that Lazada makes mandatory there."""

    id: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    box: tuple[str, str, str] = ("10", "20", "15")  # height, length and width in cm
    weight: str = "0.5"  # kg, where the pack does not say


DEFAULT = Category(id="12345", name="Thực phẩm khác")  # food without a category of its own
FOOD = range(1, 14)
BY_SET: dict[int, Category] = {
    4: Category(id="12346", name="Mật ong"),
    8: Category(id="12347", name="Hải sản khô"),
    16: Category(id="12348", name="Nước uống", box=("25", "30", "20"), weight="6"),
    17: Category(id="12349", name="Trà và cà phê"),
    **dict.fromkeys((18, 19, 20), Category(id="12350", name="Thực phẩm bổ dưỡng")),
    21: Category(id="12351", name="Đồ thủ công", box=("30", "30", "30"), weight="1"),
    22: Category(id="12352", name="Vải và phụ kiện"),
}
SETS = range(1, 27)
NAMES = {category.id: category.name for category in (DEFAULT, *BY_SET.values())}


def category_of(set_no: int | None) -> Category | None:
    return BY_SET.get(set_no or 0) or (DEFAULT if set_no in FOOD else None)


def unmapped() -> tuple[int, ...]:
    """The sets that are not sold there: 14 and 15 are alcohol, 23 to 26 plants, animals and services."""
    return tuple(number for number in SETS if category_of(number) is None)
