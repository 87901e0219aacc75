"""One disturbance of one scenario at one fault point, and whether everything is as if it had never been."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from connectors.registry import names
from flows.accounts import sandbox_of
from flows.settings import Settings
from tests.sweep.nursery import Ended, Nursery
from tests.sweep.scenarios import FINE, NIGHT, OFFERS, SHOP, TEMPLATES, Scenario, Yard, end_faults, rows

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of one disturbance."""

    scenario: str
    point: str
    action: str
    wrong: str = ""  # empty: recovered
    seconds: float = 0.0


@dataclass
class Workshop:
    """Prepares each scenario once, and gives every trial a copy."""

    nursery: Nursery
    folder: Path
    _locks: dict[str, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _serial: int = 0
    _controls: dict[str, Facts] = field(default_factory=dict)

    def yard(self, scenario: Scenario) -> Yard:
        """A fresh copy of the scenario's beginning."""
        with self._lock:
            self._serial += 1
            place = self.folder / f"trial-{self._serial}"
        return self._copy(self.prepared(scenario), place)

    def prepared(self, scenario: Scenario) -> Yard:
        return self._made(f"prepared {scenario.name}", scenario.begin, scenario.prepare)

    def control(self, scenario: Scenario) -> Facts:
        """What the scenario comes to when nothing disturbs it."""
        with self._locked(f"control {scenario.name}"):
            if scenario.name not in self._controls:
                yard = self.yard(scenario)
                words = words_of(scenario.words, yard)
                for command in (words, *afterwards(scenario, words, yard)):
                    ended = yard.nursery.run(yard.home, *command, env=SHOP)
                    assert ended.spoke_plainly, ended
                    end_faults(yard)
                self._controls[scenario.name] = facts(yard)
                shutil.rmtree(yard.folder)
        return self._controls[scenario.name]

    def _made(self, name: str, begin: str, prepare: Any) -> Yard:
        place = self.folder / name.replace(" ", "-")
        with self._locked(name):
            if not (place / "done").exists():
                yard = self._copy(self._template(begin), place)
                prepare(yard)
                (place / "done").touch()
        return Yard(self.nursery, place)

    def _template(self, name: str) -> Yard:
        place = self.folder / f"template-{name}"
        with self._locked(name):
            if not (place / "done").exists():
                place.mkdir()
                TEMPLATES[name](Yard(self.nursery, place))
                (place / "done").touch()
        return Yard(self.nursery, place)

    def _locked(self, name: str) -> Lock:
        with self._lock:
            return self._locks.setdefault(name, Lock())

    def _copy(self, yard: Yard, place: Path) -> Yard:
        """Sources are registered by their whole path: the copy gets sheets and registrations of its own."""
        shutil.copytree(yard.folder, place, ignore=shutil.ignore_patterns("done", "said-*"))
        database = place / "home" / "caybeo.sqlite"
        if database.exists():
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as db:  # one scenario's is damaged
                db.execute("UPDATE source SET location = replace(location, ?, ?)", (str(yard.folder), str(place)))
                db.commit()
        return Yard(self.nursery, place)


ENDS = {"kill": -9, "exit": 9}  # what the process that met it says of itself


def trial(workshop: Workshop, scenario: Scenario, point: str, action: str) -> Trial:
    """Disturbs the command at the point, runs it again, and compares with a home where nothing happened."""
    began = time.monotonic()
    told = partial(Trial, scenario=scenario.name, point=point, action=action)
    control = workshop.control(scenario)
    yard = workshop.yard(scenario)
    words = words_of(scenario.words, yard)
    met = yard.nursery.run(yard.home, *words, env=SHOP | scenario.env | {"FAULTPOINT": f"{point}:1:{action}"})
    wrong = _ended_wrongly(met, action) or _after(yard, scenario, words, control)
    if not wrong:
        shutil.rmtree(yard.folder)
    return told(wrong=wrong and f"{wrong} (in {yard.folder})", seconds=round(time.monotonic() - began, 1))


def _ended_wrongly(met: Ended, action: str) -> str:
    if action in ENDS:
        return "" if met.code == ENDS[action] else f"the point was not met: {met}"
    if not (met.spoke_plainly and met.out.strip() and met.code in range(8)):
        return f"no clear sentence: {met}"
    return ""


def _after(yard: Yard, scenario: Scenario, words: tuple[str, ...], control: Facts) -> str:
    """What differs from the control run once everything was done again; a further night is silent."""
    end_faults(yard)
    for command in afterwards(scenario, words, yard):
        ended = yard.nursery.run(yard.home, *command, env=SHOP)
        if not ended.spoke_plainly or ended.code not in (scenario.codes if command == words else FINE):
            return f"the next run failed: {ended}"
    found = facts(yard)
    # A look-up may learn an id that a marketplace does not tell with its answer; none may be lost.
    control = control | {"without id": [row for row in control["without id"] if row in found["without id"]]}
    if found != control:
        return "; ".join(
            _difference(name, found[name], control[name]) for name in control if found[name] != control[name]
        )
    if not scenario.listed:
        return ""
    before = _writes(yard)
    yard.nursery.run(yard.home, *(words if words[0] == "nightly" else NIGHT))
    return "" if _writes(yard) == before else f"the night after was not silent: {_writes(yard)} after {before}"


def _difference(name: str, found: Any, wanted: Any) -> str:
    if isinstance(found, dict):
        keys = [key for key in found if found[key] != wanted[key]]
        return "; ".join(_difference(f"{name} {key}", found[key], wanted[key]) for key in keys)
    if isinstance(found, list):
        more, less = [one for one in found if one not in wanted], [one for one in wanted if one not in found]
        return f"{name}: {more} instead of {less}"
    return f"{name}: {found} instead of {wanted}"


def facts(yard: Yard) -> Facts:
    """What must be the same however often the work was broken off."""
    shelves = {market: _shelf(yard, market) for market in names()}
    shown = {market: sorted(_listing(one) for one in shelf["listings"]) for market, shelf in shelves.items()}
    ids = {(market, one["key"], one["remote_id"]) for market, shelf in shelves.items() for one in shelf["listings"]}
    return {"shelves": shown, "copy": _sound(yard.folder / "copy.sqlite"), **_records(yard, ids)}


def _writes(yard: Yard) -> dict[str, int]:
    return {market: _shelf(yard, market)["requests"]["write"] for market in names()}


def _shelf(yard: Yard, market: str) -> Any:
    sandbox = sandbox_of(Settings(home=yard.home), market)
    try:
        return sandbox.show()
    finally:
        sandbox.state.close()


def _listing(one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(str(one[name]) for name in ("key", "title", "price", "stock", "status"))


RECORDS = {
    "products": "SELECT product_id, removed_at IS NULL FROM product ORDER BY 1",
    "offers": "SELECT sku, price, stock FROM variant ORDER BY 1",
    "sources": "SELECT name, replace(location, :folder, '') FROM source ORDER BY 1",
    "accounts": "SELECT name, marketplace, mode, policy, needs_reconcile FROM account ORDER BY 1",
    "withdrawals": "SELECT sku FROM withdrawal ORDER BY 1",
    "listings": "SELECT account, sku, status, outcome, due_at IS NULL, doubt FROM listing_state ORDER BY 1, 2",
    "open": "SELECT account, sku, status FROM outbox WHERE done_at IS NULL ORDER BY 1, 2",
    "waiting": "SELECT DISTINCT account, status FROM plan WHERE status IN ('held', 'ready', 'approved') ORDER BY 1",
    "held": "SELECT account FROM lease WHERE expires_at IS NOT NULL",
}
LIVE = "SELECT account, sku, remote_id FROM listing_state WHERE status = 'live' ORDER BY 1, 2"


def _records(yard: Yard, ids: set[tuple[str, str, str]]) -> Facts:
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        found = {name: db.execute(query, _given(query, yard)).fetchall() for name, query in RECORDS.items()}
        live = db.execute(LIVE).fetchall()
        found["unknown ids"] = [row for row in live if row[-1] and row not in ids]
        found["without id"] = [row for row in live if not row[-1]]
    return found


def _given(query: str, yard: Yard) -> dict[str, str]:
    return {"folder": str(yard.folder)} if ":folder" in query else {}


def _sound(file: Path) -> bool | None:
    """Whether a backup holds a whole database; None where there is none."""
    if not file.exists():
        return None
    with closing(sqlite3.connect(file)) as db:
        return db.execute("PRAGMA quick_check").fetchone() == ("ok",) and bool(db.execute(LIVE).fetchall())


def words_of(words: tuple[str, ...], yard: Yard) -> tuple[str, ...]:
    """The command with the names that hold in this copy."""
    given = {
        "PLAN": lambda: yard.waiting("held", "ready"),
        "AGAIN": lambda: yard.waiting("held"),
        "SHEET": lambda: yard.sheet("new.csv", rows(OFFERS, price=1.01)),
        "COPY": lambda: str(yard.folder / "copy.sqlite"),
    }
    return tuple(given[word]() if word in given else word for word in words)


def afterwards(scenario: Scenario, words: tuple[str, ...], yard: Yard) -> Iterator[tuple[str, ...]]:
    """The same command again, and what follows it; a plan that does not wait is not approved."""
    yield from [words] * scenario.again
    for command in scenario.follow:
        named = words_of(command, yard)
        if all(named):
            yield named


def visits(workshop: Workshop, scenario: Scenario) -> Counter[str]:
    """The points that the scenario's command passes when nothing disturbs it, and how often."""
    yard = workshop.yard(scenario)
    diary = yard.folder / "visits"
    yard.nursery.run(yard.home, *words_of(scenario.words, yard), env=SHOP | scenario.env | {"VISITS": str(diary)})
    seen = Counter(diary.read_text().split())
    shutil.rmtree(yard.folder)
    return seen
