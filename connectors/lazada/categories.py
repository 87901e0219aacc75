"""What Lazada asks of a category beyond its number: its attributes, and what a parcel is assumed to measure."""

from msgspec import field

from connectors import categories


class Category(categories.Category, frozen=True, kw_only=True):
    """A leaf; `attributes` are sent as they stand, for those that Lazada makes mandatory there."""

    id: str
    attributes: dict[str, str] = field(default_factory=dict)
    box: tuple[str, str, str] = ("10", "20", "15")  # height, length and width in cm
    weight: str = "0.5"  # kg, where the pack does not say


CATEGORIES = categories.Categories.beside(__file__, Category)
