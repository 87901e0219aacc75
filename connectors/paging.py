"""Reading many listings: by their keys in parts, and page by page to a real end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, Protocol, TypeVar

from connectors.errors import Unanswered


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=Keyed)
T = TypeVar("T")


def looked_up(keys: Iterable[str], most: int, search: Callable[[Sequence[str]], Iterable[Sequence[K]]]) -> list[K]:
    """What is there under these keys, `most` in a search, which answers by pages; a stranger among them is left out."""
    wanted = list(dict.fromkeys(keys))
    asked = set(wanted)
    parts = (wanted[start : start + most] for start in range(0, len(wanted), most))
    return [found for part in parts for page in search(part) for found in page if found.key in asked]


def pages(read: Callable[[str], tuple[T, str | None]]) -> Iterator[T]:
    """From the cursor "" to the page that names no next one; a cursor that comes again would go round for ever, or hide
    the rest: neither is the end."""
    seen: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        if cursor in seen:
            raise Unanswered("repeated-cursor")
        seen.add(cursor)
        page, cursor = read(cursor)
        yield page


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Of a marketplace that counts: `total` is how many there are, `number` which page this is, where it says so.

    `ids` has one of each that was shown, also where no row is made of it.
    """

    ids: Sequence[str]
    rows: list[T]
    total: int
    number: int = 0


def counted(read: Callable[[int, int], Page[T]]) -> Iterator[list[T]]:
    """All rows of what is asked for by page number, from 1, or by how many came before."""
    return (page.rows for page in whole(_one_after_another(read)))


def _one_after_another(read: Callable[[int, int], Page[T]]) -> Iterator[Page[T]]:
    came = 0
    for number in count(1):
        page = read(number, came)
        if page.number not in (0, number):
            raise Unanswered("page-repeated", f"{page.number}/{number}")
        yield page
        came += len(page.ids)
        if not page.ids or came >= page.total:
            return


def whole(shown: Iterable[Page[T]], most: int = sys.maxsize) -> Iterator[Page[T]]:
    """Passes pages on, and raises where they are not, each once, as many as are counted, of which one read shows `most`
    at the most: a short read must not look like a small shop.

    A total that falls says the same: what stood behind has moved up, over the edge of a page.
    """
    seen: set[str] = set()
    total = 0
    for page in shown:
        if seen.intersection(page.ids) or len(set(page.ids)) < len(page.ids):
            raise Unanswered("page-repeated", page.ids[0])
        seen.update(page.ids)
        if page.total < max(total, len(seen)):
            raise Unanswered("page-missing", f"{len(seen)}/{page.total}")
        total = page.total
        yield page
    if len(seen) < min(total, most):
        raise Unanswered("page-missing", f"{len(seen)}/{total}")
