"""On what terms a category is offered on Alibaba.com: defaults of ours, a minimum order of one carton among them."""

from connectors import categories


class Category(categories.Category, frozen=True, kw_only=True):
    """A leaf under `parent`. `carton` is how many are ordered at least, `keyword` what buyers search for."""

    id: int
    keyword: str
    parent: int = 2
    carton: int = 20
    unit: str = "Pack"
    box: tuple[int, int, int] = (20, 15, 10)  # length, width and height of one in cm
    weight: str = "0.5"  # kg, where the pack does not say


CATEGORIES = categories.Categories.beside(__file__, Category)
