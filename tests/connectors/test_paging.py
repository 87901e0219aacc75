"""Reads that go to a real end, and look-ups that ask no more than they may."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from connectors.errors import Unanswered
from connectors.paging import Page, counted, looked_up, pages, whole
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


def shown(*pages: tuple[str, int]) -> Callable[[int, int], Page[str]]:
    """Answers these one after another: one letter an id, and how many there are said to be."""
    left = [Page(ids=list(letters), rows=list(letters), total=total) for letters, total in pages]
    return lambda number, came: left.pop(0)


def test_what_is_counted_is_asked_for_by_number_or_offset_until_all_came() -> None:
    asked: list[tuple[int, int]] = []
    answers = shown(("AB", 5), ("C", 5), ("DE", 5))

    def read(number: int, came: int) -> Page[str]:
        asked.append((number, came))
        return answers(number, came)

    assert ["".join(rows) for rows in counted(read)] == ["AB", "C", "DE"]
    assert asked == [(1, 0), (2, 2), (3, 3)]


def test_an_empty_shop_is_one_empty_page() -> None:
    assert list(counted(shown(("", 0)))) == [[]]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ([("AB", 4), ("BC", 4)], "page-repeated"),
        ([("AA", 2)], "page-repeated"),
        ([("AB", 3), ("", 3)], "page-missing"),
        ([("AB", 4), ("C", 3)], "page-missing"),
        ([("AB", 1)], "page-missing"),
    ],
    ids=["shown again", "twice in one", "ends early", "the total falls", "more than counted"],
)
def test_pages_that_do_not_add_up_are_no_shop(told: list[tuple[str, int]], code: str) -> None:
    with pytest.raises(Unanswered, match=code):
        list(counted(shown(*told)))


def test_another_page_than_was_asked_for_is_no_page() -> None:
    with pytest.raises(Unanswered, match="page-repeated"):
        list(counted(lambda number, came: Page(ids=[f"{number}"], rows=[], total=9, number=1)))


def test_what_one_read_cannot_show_is_not_missed_in_it() -> None:
    told = [Page(ids=list("AB"), rows=list("AB"), total=9)]

    assert list(whole(told, most=2)) == told
    with pytest.raises(Unanswered, match="page-missing"):
        list(whole(told, most=3))
