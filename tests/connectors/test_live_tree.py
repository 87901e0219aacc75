"""Our table against the marketplace's own categories, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.categories import Categories, Category
from connectors.errors import Refused
from connectors.live_tree import LiveTree
from connectors.meanings import Meanings

TABLE = '[[category]]\nsets = [4]\nid = 13\nname = "Mật ong"\n'
SAID = '[[meaning]]\nname = "category"\n[[meaning]]\nname = "attribute"\n'


class Shop:
    """Whose tree has these leaves, and whose every leaf wants an origin."""

    def __init__(self, folder: Path, leaves: dict[str, str]) -> None:
        (folder / "categories.toml").write_text(TABLE, "utf-8")
        (folder / "errors.toml").write_text(SAID, "utf-8")
        self.asked: list[int | str] = []
        ours = Categories(folder / "categories.toml", Category)
        self.tree = LiveTree(ours, Meanings(folder / "errors.toml"), lambda category: leaves, self.schema)

    def schema(self, number: int | str) -> list[str]:
        self.asked.append(number)
        return ["origin"]

    def check(self, number: int, **sent: str) -> None:
        self.tree.check(number, lambda wanted: [name for name in wanted if name not in sent])


def test_a_category_that_is_ours_there_too_is_asked_about_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"13": "MẬT ONG"})

    shop.check(13, origin="VN")
    shop.check(13, origin="VN")

    assert shop.asked == [13]


@pytest.mark.parametrize(("number", "leaves"), [(13, {"13": "Trà"}), (13, {}), (14, {"14": "Mật ong"})])
def test_another_category_is_refused_and_not_asked_about(tmp_path: Path, number: int, leaves: dict[str, str]) -> None:
    shop = Shop(tmp_path, leaves)

    with pytest.raises(Refused, match="category-unknown"):
        shop.check(number, origin="VN")
    assert shop.asked == []


def test_what_an_item_lacks_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="attribute-missing: origin"):
        Shop(tmp_path, {"13": "Mật ong"}).check(13)
