"""Reading many listings: by their keys in parts, and page by page to a real end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from connectors.errors import Unanswered
from models.listing import Remote


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)


def looked_up(keys: Iterable[str], most: int, search: Callable[[Sequence[str]], Iterable[Sequence[T]]]) -> list[T]:
    """What is there under these keys, `most` in a search, which answers by pages; a stranger among them is left out."""
    wanted = list(dict.fromkeys(keys))
    asked = set(wanted)
    parts = (wanted[start : start + most] for start in range(0, len(wanted), most))
    return [found for part in parts for page in search(part) for found in page if found.key in asked]


def pages(read: Callable[[str], tuple[list[Remote], str | None]]) -> Iterator[list[Remote]]:
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
