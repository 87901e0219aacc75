"""Answers as typed values, from several threads at once."""

from __future__ import annotations

import threading
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")
# Numbers that may come as text, as some marketplaces have all of them.
Number = int | float | str
Whole = Annotated[int, msgspec.Meta(ge=0)] | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}\Z")]

_known: set[type] = set()
_lock = threading.Lock()


def typed(data: Any, kind: type[T]) -> T:
    """The value, or msgspec.ValidationError.

    What msgspec 0.22 knows of a class it learns when it first meets it, and two threads that teach it at once end the
    process with a segmentation fault: so each class is met under a lock first.
    """
    if kind not in _known:
        with _lock:
            msgspec.json.Decoder(kind)
            _known.add(kind)
    return msgspec.convert(data, kind)
