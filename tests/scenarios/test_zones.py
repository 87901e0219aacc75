"""Nights at the edges of months and years: what is done is the same in whatever zone the machine believes to be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest

from connectors.simulator import State
from flows.settings import Settings
from flows.steps import plan
from flows.steps.pull import add_source
from flows.wiring import open_home
from models.catalogue import Certificate, Product
from models.clock import SystemClock
from models.text import VIETNAM
from models.value import replace
from tests.blackbox.shop import rewrite
from tests.scenarios.world import MARKETPLACES, World, part, shrimp

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)
UNSET = "unset"
ZONES = [
    UNSET,
    "",
    "UTC",
    "Asia/Ho_Chi_Minh",
    "America/Los_Angeles",
    "Pacific/Kiritimati",  # UTC+14
    ":/nonexistent",
    "XYZ-13:30",
    "Foo",
]
ABROAD = ["America/Los_Angeles", "Pacific/Kiritimati", "XYZ-13:30"]  # where the day begins at another moment
EDGES = {  # the day on which a star is no longer shown, and the certificate that ends so
    date(2026, 12, 1): Certificate(star=4, issued_on=date(2023, 12, 1)),
    date(2027, 1, 1): Certificate(star=4, year=2024),
    date(2027, 2, 28): Certificate(star=4, issued_on=date(2024, 2, 29)),
    date(2027, 3, 1): Certificate(star=4, issued_on=date(2024, 3, 1)),
    date(2028, 1, 1): Certificate(star=4, issued_on=date(2025, 1, 1)),
    date(2028, 2, 28): Certificate(star=4, issued_on=date(2025, 2, 28)),
    date(2028, 2, 29): Certificate(
        star=4, issued_on=date(2025, 2, 27), valid_until_override=date(2028, 2, 28), override_dossier="HS-12"
    ),
    date(2028, 3, 1): Certificate(star=4, issued_on=date(2025, 3, 1)),
}


LASTING = Certificate(star=4, issued_on=date(2026, 11, 1))
LATEST = date(2028, 3, 1)  # no price confirmed then grows old here


@pytest.fixture
def zoned(request: pytest.FixtureRequest) -> Iterator[None]:
    """This process lives in that zone; some names mean nothing to it, or not what they seem to."""
    name = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TZ", raising=False) if name == UNSET else patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


def midnight(day: date) -> datetime:
    """The first moment of that day in Cà Mau."""
    return datetime(day.year, day.month, day.day, tzinfo=VIETNAM).astimezone(UTC)


def skus(n: int) -> tuple[str, str, str, str]:
    """Of the nth edge: whose star ends that day, whose begins, whose price is too old, and what is new."""
    ending, beginning, ageing, new = (f"TK{n + tens:03}" for tens in (0, 20, 40, 60))
    return ending, beginning, ageing, new


def product(world: World, sku: str, certificate: Certificate = LASTING, confirmed_on: date = LATEST) -> Product:
    number = int(sku[2:])
    made = shrimp(number, world.picture(number))
    (pack,) = made.variants
    return replace(made, certificates=(certificate,), variants=(replace(pack, price_confirmed_on=confirmed_on),))


def records(world: World) -> Iterator[Product]:
    for n, (day, ends) in enumerate(EDGES.items()):
        ending, beginning, ageing, _ = skus(n)
        yield product(world, ending, ends)
        yield product(world, beginning, Certificate(star=4, issued_on=day))
        yield product(world, ageing, confirmed_on=day - timedelta(days=31))


Deed = tuple[str, str]  # SKU and kind of change
Diary = list[tuple[datetime, list[Deed], int]]  # when, what was done, how many prices are called old


def life(world: World, market: str) -> Diary:
    """Three nights around each edge: a minute before it, in its first moment, and when the day begins in UTC."""
    diary: Diary = []

    def night(at: datetime) -> None:
        world.clock.at = at - MINUTE  # a night takes one for itself
        before = len(world.outbox(market))
        report = world.night()
        done = sorted((change.sku, change.kind) for change in world.outbox(market)[before:])
        diary.append((at, done, part(report, market).notes.get("old-price", 0)))

    world.put(*records(world))
    world.night()
    for n, day in enumerate(EDGES):
        ending, _, _, new = skus(n)
        night(midnight(day) - MINUTE)
        world.put(product(world, new))
        night(midnight(day))
        world.remove(ending)
        night(midnight(day) + timedelta(hours=7))
    return diary


def by_the_calendar_of_ca_mau() -> Iterator[tuple[datetime, list[Deed], int]]:
    for n, day in enumerate(EDGES):
        ending, beginning, _, new = skus(n)
        yield midnight(day) - MINUTE, [], n
        yield midnight(day), [(ending, "update"), (beginning, "update"), (new, "create")], n + 1
        yield midnight(day) + timedelta(hours=7), [(ending, "delist")], n + 1


@pytest.mark.parametrize(("zoned", "market"), list(zip(ZONES, cycle(MARKETPLACES), strict=False)), indirect=["zoned"])
def test_P14_the_nights_are_the_same_in_every_zone(zoned: None, lone: World, market: str) -> None:
    diary = life(lone, market)

    assert diary == list(by_the_calendar_of_ca_mau())
    lone.assert_in_step()


@pytest.mark.parametrize(("zoned", "market"), [("UTC", "voso"), ("Pacific/Kiritimati", "voso")], indirect=["zoned"])
def test_P14_a_plan_by_the_day_of_the_machine_would_be_noticed(
    zoned: None, lone: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above is worth: None in the place of a zone is the machine's own."""
    plan.midnight.cache_clear()
    monkeypatch.setattr(plan, "VIETNAM", None)

    diary = life(lone, market)

    plan.midnight.cache_clear()
    assert diary != list(by_the_calendar_of_ca_mau())


NEW_YEAR = midnight(date(2028, 1, 1)) + timedelta(seconds=5)
AWARDED = {"CM001": "2025-01-01", "CM002": "2028-01-01", "CM003": "2025-01-02"}
AT_NEW_YEAR = {"CM001": False, "CM002": True, "CM003": True}
NIGHT = """
import sys, time_machine
from flows.cli import main
sys.argv = ["caybeo", "nightly", "--account", "voso", "--json"]
with time_machine.travel(float({at})):
    main()
"""


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """A home that is to read three products tonight: a star that has just ended, one of today, one on its last day."""
    home = tmp_path / "home"
    database = open_home(Settings(home=home))
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        file = home / "inbox" / Path(source).name
        file.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "data" / source, file)
        rewrite(file, awarded)
        file.write_text(file.read_text("utf-8").replace("award_date", "issued_on"), "utf-8")
        add_source(database, str(file), SystemClock())
    database.dispose()
    return home


def awarded(row: dict[str, str]) -> dict[str, str] | None:
    """One of the three, with its star and the day of it."""
    day = AWARDED.get(next(iter(row.values()))[:5])
    return (row | {"stars": "4", "award_date": day} if "stars" in row else row) if day else None


def begin_night(home: Path, name: str) -> subprocess.Popen[str]:
    """A process that knows no other zone from its birth on."""
    clean = {key: value for key, value in os.environ.items() if key != "TZ"}
    return subprocess.Popen(
        [sys.executable, "-c", NIGHT.format(at=NEW_YEAR.timestamp())],
        cwd=ROOT,
        env=clean | {"CAYBEO_HOME": str(home)} | ({} if name == UNSET else {"TZ": name}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stars(home: Path) -> dict[str, bool]:
    """Which listings of the marketplace show one."""
    state = State(home / "sandbox" / "voso.sqlite")
    products = [one for _, one in state.items("product")]
    state.close()
    return {one["product_code"]: "OCOP" in one["short_description"] for one in products}


@pytest.mark.slow
def test_P14_processes_of_every_zone_list_the_same_at_new_year(registered: Path, tmp_path: Path) -> None:
    homes = {name: shutil.copytree(registered, tmp_path / f"home{n}") for n, name in enumerate([UNSET, *ABROAD, "Foo"])}

    nights = {name: begin_night(home, name) for name, home in homes.items()}
    said = {name: night.communicate(timeout=90) for name, night in nights.items()}

    assert {name: night.returncode for name, night in nights.items()} == dict.fromkeys(homes, 0), said
    assert [stars(home) for home in homes.values()] == [AT_NEW_YEAR] * len(homes)
