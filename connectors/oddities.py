"""What a marketplace says that its connector does not know: remembered, so that somebody can teach it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

CODE_LENGTH = 60  # of an error code: a longer one is no code


@dataclass(frozen=True, kw_only=True, slots=True)
class Oddity:
    operation: str
    kind: Literal["code"]
    name: str  # the code


class Oddities:
    """Those of one account in one run, from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: Counter[Oddity] = Counter()

    def code(self, operation: str, code: str) -> None:
        """An error code that the connector's table lacks: what it means was guessed, and never for a success."""
        with self._lock:
            self._met[Oddity(operation=operation, kind="code", name=code[:CODE_LENGTH])] += 1

    def take(self) -> dict[Oddity, int]:
        """How often each was met since the last time."""
        with self._lock:
            met, self._met = self._met, Counter()
        return dict(met)
