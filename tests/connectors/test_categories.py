"""Where a product set goes, as `categories.toml` says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connectors.categories import Categories, Category

FILE = """
[[category]]
sets = [1, 2]
id = 12
name = "Other food"
parent = 3

[[category]]
sets = [4]
id = 13
name = "Honey"
attributes = { "Place of Origin" = "Viet Nam" }
"""


class Leaf(Category, frozen=True, kw_only=True):
    parent: int = 2


def read(folder: Path, text: str) -> Categories[Leaf]:
    (folder / "categories.toml").write_text(text, "utf-8")
    return Categories.beside(str(folder / "categories.py"), Leaf)


def test_a_set_goes_to_its_category(tmp_path: Path) -> None:
    categories = read(tmp_path, FILE)
    honey = categories.of(4)
    assert honey is categories.by_id[13]
    assert (honey.name, honey.parent) == ("Honey", 2)
    assert (categories.of(2), categories.of(3), categories.of(None)) == (categories.default, None, None)


def test_sets_that_go_nowhere_are_listed(tmp_path: Path) -> None:
    assert read(tmp_path, FILE).unmapped() == (3, *range(5, 27))


def test_only_attributes_of_the_file_are_ours(tmp_path: Path) -> None:
    categories = read(tmp_path, FILE)
    assert (categories.attributes(13), categories.attributes(12), categories.attributes(99)) == (
        ("Place of Origin",),
        (),
        (),
    )


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        read(tmp_path, FILE.replace("parent", "colour"))
