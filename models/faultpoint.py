"""Named places where a test may end, freeze or disturb a process; nothing happens there otherwise."""

from __future__ import annotations

from collections.abc import Callable

_visit: Callable[[str], None] | None = None


def fp(name: str) -> None:
    """Beside every transaction, request and file write: whatever can be half done has a point before and after it."""
    if _visit is not None:
        _visit(name)


def on_visit(visit: Callable[[str], None] | None) -> None:
    """From now on every point that is passed is told to `visit`, on the thread that passes it; None ends that."""
    global _visit  # one process, one observer: the points themselves cannot be handed a port
    _visit = visit
