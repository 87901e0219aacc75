"""What a marketplace says that its connector does not know: remembered, so that somebody can teach it."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

CODE_LENGTH, SHAPE_LENGTH = 60, 200  # of an error code: a longer one is no code; of what is wrong with a shape
TELLING = frozenset({"status", "state", "code", "type", "kind", "error", "page", "total"})  # keys whose values are kept
FIELDS, ITEMS, DEPTH, BYTES = 40, 3, 8, 4000  # of a sample
MASKED = re.compile(r"'[^']*'")  # values that msgspec quotes
PLACE = re.compile(r"\[\d+\]")
KEY = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)
WORD = re.compile(r"\w[\w .:/-]{0,23}")
FEW_DIGITS = 4  # a status or a code; with more it may be a telephone number or a token


@dataclass(frozen=True, kw_only=True, slots=True)
class Oddity:
    operation: str
    kind: Literal["code", "shape"]
    name: str  # the code, or what the answer lacks
    sample: Any = field(default=None, compare=False)  # of an answer of another shape, redacted


class Oddities:
    """Those of one account in one run, from several threads at once."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock, self._secrets = threading.Lock(), tuple(filter(None, secrets))
        self._met: Counter[Oddity] = Counter()

    def hide(self, secrets: Iterable[str]) -> None:
        """What came to be a secret since."""
        with self._lock:
            self._secrets = tuple({*self._secrets, *filter(None, secrets)})

    def code(self, operation: str, code: str) -> None:
        """An error code that the connector's table lacks: what it means was guessed, and never for a success."""
        self._count(Oddity(operation=operation, kind="code", name=code[:CODE_LENGTH]))

    def shape(self, operation: str, lack: str, answer: Any) -> None:
        """An answer that the documents do not describe; `lack` says where it differs."""
        name = PLACE.sub("[…]", MASKED.sub("'…'", lack))[:SHAPE_LENGTH]
        sample = redacted(answer, self._secrets)
        self._count(Oddity(operation=operation, kind="shape", name=name, sample=sample))

    def _count(self, one: Oddity) -> None:
        with self._lock:
            self._met[one] += 1

    def take(self) -> dict[Oddity, int]:
        """How often each was met since the last time."""
        with self._lock:
            met, self._met = self._met, Counter()
        return dict(met)


def redacted(answer: Any, secrets: Sequence[str] = ()) -> Any:
    """The form of an answer: which fields of which type. Of the values only the words that may steer us are kept."""
    form = _form(answer, "", secrets, DEPTH)
    return form if len(msgspec.json.encode(form)) <= BYTES else "<too large>"


def _form(value: Any, key: str, secrets: Sequence[str], depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict | list) and depth == 0:
        return "<too deep>"
    if isinstance(value, dict):
        some = list(value.items())[:FIELDS]
        return {_key(name, secrets): _form(inner, name, secrets, depth - 1) for name, inner in some}
    if isinstance(value, list):
        return [_form(inner, key, secrets, depth - 1) for inner in value[:ITEMS]]
    told = str(value)
    if key.lower() in TELLING and WORD.fullmatch(told) and _harmless(told, secrets):
        return value
    return f"<text of {len(told)}>" if isinstance(value, str) else "<number>"


def _key(name: str, secrets: Sequence[str]) -> str:
    return name if KEY.fullmatch(name) and _harmless(name, secrets) else "<key>"


def _harmless(told: str, secrets: Sequence[str]) -> bool:
    return sum(map(str.isdigit, told)) <= FEW_DIGITS and not any(secret in told for secret in secrets)
