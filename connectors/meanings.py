"""What a marketplace's codes mean, read from the `errors.toml` that a connector keeps beside its code.

The file holds `[steps]`, next steps by name, `[fields]`, the marketplace's names of fields with ours, and any number of

    [[meaning]]
    name = "category"                # so that code can ask for it; optional
    codes = ["57", "200..299"]       # what the marketplace says; none where only the words tell
    sign = "already exists"          # a regular expression the words must match: sharper than a code alone
    kind = "Conflict"                # what the engine does, a class of connectors.errors; Refused where nothing is said
    field = "category"               # ours, as the catalogue calls it
    seconds = 1800                   # how long to wait at least; of Throttled and Later
    vi = "…: {words} (mã {code})."   # without sentences stand those of the kind
    en = "…: {words} (code {code})."
    step = "table"                   # one of [steps]
    like = "category"                # for all of these: the same as an entry above
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from connectors import errors
from connectors.errors import ConnectorError, Later, Refused, Throttled, unlisted
from models.text import Text

WORDS = 500  # characters of the marketplace's own that are kept


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    kind: type[ConnectorError] = Refused
    message: Text | None = None
    next_step: Text | None = None
    field: str = ""
    seconds: float | None = None

    def error(self, code: str, words: str = "", *, field: str = "") -> ConnectorError:
        words = words[:WORDS]
        if issubclass(self.kind, Throttled):
            return self.kind(code, words, retry_after=self.seconds)
        said: dict[str, Any] = {"field": field or self.field, "message": self.message, "next_step": self.next_step}
        if issubclass(self.kind, Later):
            return self.kind(code, words, seconds=self.seconds or 0.0, **said)
        return self.kind(code, words, **said)


class Meanings:
    """Raises ValueError with the file's name where an entry cannot be understood."""

    def __init__(self, path: Path, kinds: Mapping[str, type[ConnectorError]] | None = None) -> None:
        """`kinds` are the connector's own classes, by the name that the file uses."""
        self._named: dict[str, Meaning] = {}
        self._plain: dict[str, Meaning] = {}
        self._signed: list[tuple[frozenset[str], re.Pattern[str], Meaning]] = []
        self._fields: dict[str, str] = {}
        known = {**vars(errors), **(kinds or {})}
        try:
            told = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
            for entry in told.meaning:
                self._take(entry, self._named[entry.like] if entry.like else entry.meaning(told.steps, known))
            self._fields = told.fields
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path.parent.name}/{path.name}: {error}") from None

    @classmethod
    def beside(cls, module: str, kinds: Mapping[str, type[ConnectorError]] | None = None) -> Meanings:
        """Of the errors.toml in the folder of the module whose `__file__` this is."""
        return cls(Path(module).with_name("errors.toml"), kinds)

    def __getitem__(self, name: str) -> Meaning:
        return self._named[name]

    def codes(self) -> Iterator[str]:
        yield from self._plain

    def of(self, code: str, words: str = "") -> Meaning | None:
        """None where the file lacks the code: such an error is `unlisted`."""
        sharper = (m for codes, sign, m in self._signed if (not codes or code in codes) and sign.search(words))
        return next(sharper, self._plain.get(code))

    def error(
        self, code: str, words: str = "", *, field: str = "", otherwise: type[ConnectorError] = Refused
    ) -> ConnectorError:
        """What the file says of it; a code that it lacks is `otherwise`, in the marketplace's own words, and noted."""
        meaning = self.of(code, words)
        if meaning is None:
            return unlisted(otherwise(code, words[:WORDS], field=field))
        return meaning.error(code, words, field=field)

    def field(self, theirs: str, otherwise: str | None = None) -> str:
        """Ours; where we have none, theirs, unless something else is wanted then."""
        return self._fields.get(theirs, theirs if otherwise is None else otherwise)

    def field_in(self, words: str) -> str:
        """Ours of the first in `[fields]` that the words name."""
        return next((ours for theirs, ours in self._fields.items() if theirs in words.lower()), "")

    def _take(self, entry: _Entry, meaning: Meaning) -> None:
        if entry.name:
            self._named[entry.name] = meaning
        codes = tuple(_each(entry.codes))  # in the order of the file
        if entry.sign:
            self._signed.append((frozenset(codes), re.compile(entry.sign), meaning))
            return
        if twice := self._plain.keys() & set(codes):
            raise ValueError(f"twice: {sorted(twice)}")
        self._plain |= dict.fromkeys(codes, meaning)


def _each(codes: Iterable[str]) -> Iterator[str]:
    for code in codes:
        first, dots, last = code.partition("..")
        yield from map(str, range(int(first), int(last) + 1)) if dots else (code,)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    codes: list[str] = []
    sign: str = ""
    kind: str = "Refused"
    field: str = ""
    seconds: float | None = None
    vi: str = ""
    en: str = ""
    step: str = ""
    like: str = ""

    def meaning(self, steps: Mapping[str, _Step], kinds: Mapping[str, Any]) -> Meaning:
        if bool(self.vi) != bool(self.en):
            raise ValueError(f"one language only: {self.vi}{self.en}")
        return Meaning(
            kind=kinds[self.kind],
            message=Text(self.vi, self.en) if self.vi else None,
            next_step=Text(steps[self.step].vi, steps[self.step].en) if self.step else None,
            field=self.field,
            seconds=self.seconds,
        )


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vi: str
    en: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    meaning: list[_Entry]
    steps: dict[str, _Step] = {}
    fields: dict[str, str] = {}
