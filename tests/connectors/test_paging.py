"""Reads that go to a real end, and look-ups that ask no more than they may."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.errors import Unanswered
from connectors.paging import looked_up, pages
from models.listing import Remote


def remote(key: str) -> Remote:
    return Remote(key=key, remote_id=f"R-{key}", status="live", facets={})


def test_pages_come_in_order_until_none_is_next() -> None:
    told = {"": ([remote("A")], "1"), "1": ([], "2"), "2": ([remote("B")], None)}

    assert [[r.key for r in page] for page in pages(told.__getitem__)] == [["A"], [], ["B"]]


@pytest.mark.parametrize("again", ["", "1"])
def test_a_cursor_that_comes_again_is_no_end(again: str) -> None:
    read = pages(lambda cursor: ([remote("A")], again if cursor else "1"))

    with pytest.raises(Unanswered, match="repeated-cursor"):
        list(read)


def test_each_key_is_asked_once_in_parts_and_strangers_are_left_out() -> None:
    asked: list[Sequence[str]] = []

    def search(part: Sequence[str]) -> list[list[Remote]]:
        asked.append(part)
        return [[remote(key) for key in part if key != "C"], [remote("stranger")]]

    found = looked_up(["A", "B", "A", "C"], 2, search)

    assert ([one.key for one in found], asked) == (["A", "B"], [["A", "B"], ["C"]])


def test_nothing_asked_is_no_search() -> None:
    assert looked_up([], 2, lambda part: pytest.fail("asked")) == []
