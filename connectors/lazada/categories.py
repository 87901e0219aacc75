"""Lazada's categories, and what a parcel of each is assumed to measure."""

from connectors import categories


class Category(categories.Category, frozen=True, kw_only=True):
    """A leaf; its attributes are those that Lazada makes mandatory there."""

    id: str
    box: tuple[str, str, str] = ("10", "20", "15")  # height, length and width in cm
    weight: str = "0.5"  # kg, where the pack does not say


CATEGORIES = categories.Categories.beside(__file__, Category)
