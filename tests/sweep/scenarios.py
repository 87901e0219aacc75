"""What operators do, each in a home prepared for it: between them they pass every fault point of the source."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import update

from connectors.registry import connector
from connectors.simulator import State
from models.clock import SystemClock, today
from models.database import open_database, writing
from models.ledger import PLAN
from tests.sweep.nursery import ROOT, Child, Ended, Nursery

MARKETS = ("madeincamau", "postmart", "voso")
PRODUCTS = ("CM001", "CM002", "CM003", "CM007")  # with one pack each
FINE = (0, 1, 4)  # done, done but for what needs a person, held for a person


@dataclass(frozen=True)
class Yard:
    """A folder with one home in it, its spreadsheets beside it."""

    nursery: Nursery
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def do(self, *words: str, codes: Iterable[int] = FINE, **how: Any) -> Ended:
        """A command that is to go well."""
        ended = self.nursery.run(self.home, *words, **how)
        assert ended.code in codes, (words, ended)
        return ended

    def tell(self, *words: str) -> Any:
        return self.do(*words, "--json").json

    def sheet(self, name: str, rows: list[dict[str, str]]) -> str:
        """A spreadsheet with these rows; its path."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return str(path)

    def waiting(self, *status: str) -> str:
        """The number of the latest plan of that status, of a source or of postmart; "" where there is none."""
        query = """
            SELECT max(id) FROM plan WHERE account IN ('', 'postmart') AND status IN (SELECT value FROM json_each(?))
            AND (account = '' OR EXISTS (SELECT 1 FROM outbox WHERE plan_id = plan.id AND done_at IS NULL))
        """
        with closing(sqlite3.connect(self.home / "caybeo.sqlite")) as db:
            (number,) = db.execute(query, [json.dumps(status)]).fetchone()
        return "" if number is None else str(number)

    def far_side(self, market: str) -> State:
        return State(self.home / "sandbox" / f"{market}.sqlite")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`words` are what is disturbed; afterwards the same words, `again` times, must leave what they would have left.

    "PLAN" among the words stands for the plan that waits. Where not everything is `listed` when the scenario ends, a
    night after it is not silent.
    """

    name: str
    begin: str  # the template it goes on from
    prepare: Callable[[Yard], None]
    words: tuple[str, ...]
    again: int = 1
    follow: tuple[tuple[str, ...], ...] = ()
    listed: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (*FINE, 2)  # of the repeated command: a second removal finds nothing to remove


# --- templates --------------------------------------------------------------------------------------------------------


def rows(file: str, *, price: float = 1, wanted: Iterable[str] = PRODUCTS) -> list[dict[str, str]]:
    """Some rows of a shipped file, at another price where asked."""
    with (ROOT / "data" / file).open(encoding="utf-8-sig", newline="") as source:
        found = [row for row in csv.DictReader(source) if next(iter(row.values())).startswith(tuple(wanted))]
    if file == OFFERS:
        day = {"price_confirmed_on": today(SystemClock()).isoformat(), "list_price_vnd": ""}
        found = [row | day | {"price_vnd": str(round(int(row["price_vnd"]) * price))} for row in found]
    return found


CATALOGUE, OFFERS = "catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"


def empty(yard: Yard) -> None:
    """Nothing: not even a home."""


def registered(yard: Yard, wanted: tuple[str, ...] = PRODUCTS) -> None:
    """Sources that were never read."""
    sheets = yard.sheet("a.csv", rows(CATALOGUE, wanted=wanted)), yard.sheet("b.csv", rows(OFFERS, wanted=wanted))
    yard.do("sources", "add", *sheets)


def listed(yard: Yard) -> None:
    """Everything on sale everywhere."""
    registered(yard)
    yard.do("nightly")
    yard.do("nightly")


TEMPLATES = {"empty": empty, "registered": registered, "listed": listed}

# --- what comes before the command ------------------------------------------------------------------------------------


def nothing(yard: Yard) -> None:
    """The template is enough."""


def new_prices(yard: Yard, factor: float = 1.02) -> None:
    yard.do("import", yard.sheet("c.csv", rows(OFFERS, price=factor)))


def held_prices(yard: Yard) -> None:
    """Every price four times as high: more than passes without a person."""
    new_prices(yard, 4)
    yard.do("nightly", "--account", "postmart")


def held_source(yard: Yard) -> None:
    """A source that lost nearly everything."""
    yard.do("import", yard.sheet("a.csv", rows(CATALOGUE, wanted=("CM00",))))
    yard.do("import", yard.sheet("a.csv", rows(CATALOGUE, wanted=PRODUCTS[:1])), codes=(HELD,))


def stale_plan(yard: Yard) -> None:
    """A held source that nobody decided about in time."""
    held_source(yard)
    database = open_database(f"sqlite:///{yard.home / 'caybeo.sqlite'}")
    with writing(database) as db:
        db.execute(update(PLAN).values(expires_at=SystemClock().now() - timedelta(hours=1)))
    database.dispose()


def planned(yard: Yard) -> None:
    new_prices(yard)
    yard.do("plan", "--account", "postmart")


def edited_by_hand(yard: Yard) -> None:
    """Somebody changed a price and hid another listing in the back office."""
    for market, (outer, inner) in {"madeincamau": ("fields", "price_vnd"), "postmart": ("price", "price_vnd")}.items():
        state = yard.far_side(market)
        with state.transaction():
            key, product = state.items("product")[0]
            product[outer][inner] += 1000
            product["revision"] = product["revision"] + 1 if isinstance(product.get("revision"), int) else 1
            state.put("product", key, product)
        state.close()


def forgotten(yard: Yard) -> None:
    """The marketplaces have it all, the database knows nothing of it."""
    for file in yard.home.glob("caybeo.sqlite*"):
        file.unlink()
    registered(yard)


def killed_before(yard: Yard, market: str) -> None:
    """The night was killed among its first writes: what was done of them the next one must find out."""
    nth = {"madeincamau": 5, "postmart": 5, "voso": 6}[market]
    yard.do(*of(market), codes=(-9,), env={"FAULTPOINT": f"request.answered:{nth}:kill"})


def lost_answers(yard: Yard, market: str) -> None:
    new_prices(yard)
    yard.do("sandbox", "fault", market, "--drop", "--times", "3")


def slow_answer(yard: Yard, market: str) -> None:
    new_prices(yard)
    yard.do("sandbox", "fault", market, "--seconds", "2.2", "--times", "1")


def strange_answers(yard: Yard) -> None:
    """Vỏ Sò gives a number where its documents promise a text, for as long as faults last."""
    new_prices(yard)
    state = yard.far_side("voso")
    with state.transaction():
        key, product = state.items("product")[0]
        state.put("product", key, product | {"unit": 5})
        state.put("meant", key, product["unit"])
    state.close()


def token_ended(yard: Yard) -> None:
    """Lazada no longer takes the access token: the refresh token, which works once, gives another."""
    state = yard.far_side("lazada")
    with state.transaction():
        state.put("token", connector("lazada").simulator_class().credentials["access_token"], 1)
    state.close()


def end_faults(yard: Yard) -> None:
    """From now on the marketplaces work."""
    for market in (market for market in MARKETS if (yard.home / "sandbox" / f"{market}.sqlite").exists()):
        state = yard.far_side(market)
        with state.transaction():
            state.delete("fault", "next")
            for key, unit in state.items("meant"):
                state.put("product", key, state.get("product", key) | {"unit": unit})
        state.close()


def marketplace_down(yard: Yard, market: str) -> None:
    new_prices(yard)
    yard.do("sandbox", "fault", market, "--status", "503", "--times", "60")
    yard.do(*of(market), codes=range(8))
    end_faults(yard)


def withdrawn(yard: Yard) -> None:
    yard.do("withdraw", "--sku", "CM001", "--reason", "thu hồi")


def shop(yard: Yard) -> None:
    yard.do(*ADD_SHOP, env=SHOP)


def overtaken(yard: Yard, market: str) -> None:
    """A run froze as it was about to send, another took over and sent it all, then what the first had sent arrived.

    There is one product, so that the fifth request is its creation.
    """
    registered(yard, PRODUCTS[:1])
    frozen = frozen_at(yard, "nightly", "--account", market, point="request.leaving:5:stop", **SHORT_LEASE)
    while yard.do("nightly", "--account", market, codes=range(8)).code == BUSY:
        time.sleep(0.5)
    frozen.signal(signal.SIGCONT)
    frozen.wait()
    state = yard.far_side(market)
    with state.transaction():
        ((_, product),) = state.items("product")
        number = state.next_number("product")
        state.put("code", product["product_code"], [product["product_id"], number])
        state.put("product", f"{number:012}", product | {"product_id": number})
    state.close()


def frozen_at(yard: Yard, *words: str, point: str, **env: str) -> Child:
    """A command that stands still at the point."""
    child = yard.nursery.start(yard.home, *words, env={"FAULTPOINT": point, **env})
    while not _stands_still(child.pid):
        assert not child.ended.done(), child.ended.result()
        time.sleep(0.01)
    return child


def _stands_still(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


def backed_up(yard: Yard) -> None:
    """A backup, and then a night that the backup does not know."""
    yard.do("db", "backup", str(yard.folder / "copy.sqlite"))
    new_prices(yard)
    yard.do("nightly")


def damaged(yard: Yard) -> None:
    backed_up(yard)
    for file in yard.home.glob("caybeo.sqlite*"):
        file.unlink()
    (yard.home / "caybeo.sqlite").write_bytes(b"hong" * 4096)


# --- all of them ------------------------------------------------------------------------------------------------------

REFUSED, HELD, BUSY, AUTHORISE = 3, 4, 5, 6
SHORT_LEASE = {"CAYBEO_LEASE_SECONDS": "5"}
NIGHT, RECONCILE = ("nightly",), ("reconcile",)
AGAIN = ("approve", "AGAIN")  # what was approved and perhaps half sent is asked about once more
SHOP = {"SHOP_ID": "ten", "SHOP_SECRET": "mat-khau"}
ADD_SHOP = (
    *("accounts", "add", "hop-tac-xa", "--marketplace", "voso", "--base-url", "http://127.0.0.1:9/voso"),
    *("--env", "username=SHOP_ID", "--env", "password=SHOP_SECRET", "--no-check"),
)


def of(market: str) -> tuple[str, ...]:
    return (*NIGHT, "--account", market)


def per_market(market: str) -> list[Scenario]:
    """The nights of one marketplace; an asynchronous one may need two runs to be in step again."""
    again = 2 if market == "postmart" else 1
    night = partial(Scenario, words=of(market), again=again)
    return [
        night(name=f"first night, {market}", begin="registered", prepare=nothing),
        night(name=f"new prices, {market}", begin="listed", prepare=new_prices),
        night(name=f"killed before, {market}", begin="registered", prepare=partial(killed_before, market=market)),
        night(name=f"answers lost, {market}", begin="listed", prepare=partial(lost_answers, market=market)),
        night(name=f"already there, {market}", begin="listed", prepare=forgotten),
        night(name=f"down before, {market}", begin="listed", prepare=partial(marketplace_down, market=market)),
    ]


SCENARIOS: list[Scenario] = [
    *(scenario for market in MARKETS for scenario in per_market(market)),
    Scenario(
        name="slow answer",
        begin="listed",
        prepare=partial(slow_answer, market="voso"),
        words=of("voso"),
        env=SHORT_LEASE,
    ),
    Scenario(
        name="strange answers",
        begin="listed",
        prepare=strange_answers,
        words=of("voso"),
        codes=tuple(range(8)),
        listed=False,
    ),
    Scenario(name="sent twice", begin="empty", prepare=partial(overtaken, market="voso"), words=of("voso")),
    Scenario(
        name="withdrawal",
        begin="listed",
        prepare=nothing,
        words=("withdraw", "--sku", "CM001", "--reason", "thu hồi"),
        again=2,
    ),
    Scenario(
        name="withdrawal undone",
        begin="listed",
        prepare=withdrawn,
        words=("withdraw", "--sku", "CM001", "--reason", "đã kiểm tra", "--undo"),
        again=2,
    ),
    Scenario(name="import", begin="empty", prepare=nothing, words=("import", "SHEET")),
    Scenario(
        name="approval", begin="listed", prepare=held_prices, words=("approve", "PLAN"), follow=(NIGHT, AGAIN, NIGHT)
    ),
    Scenario(name="refusal", begin="listed", prepare=held_prices, words=("approve", "PLAN", "--refuse")),
    Scenario(name="plan", begin="listed", prepare=new_prices, words=("plan",), follow=(NIGHT, NIGHT)),
    Scenario(name="apply", begin="listed", prepare=planned, words=("apply", "PLAN"), follow=(NIGHT, NIGHT)),
    Scenario(
        name="source approved", begin="registered", prepare=held_source, words=("approve", "PLAN"), follow=(NIGHT,)
    ),
    Scenario(
        name="source approved late",
        begin="registered",
        prepare=stale_plan,
        words=("approve", "PLAN"),
        codes=(2, REFUSED),
        listed=False,
    ),
    Scenario(name="healing", begin="listed", prepare=edited_by_hand, words=(*RECONCILE, "--heal"), follow=(NIGHT,)),
    Scenario(name="backup", begin="listed", prepare=nothing, words=("db", "backup", "COPY")),
    Scenario(
        name="restore",
        begin="listed",
        prepare=backed_up,
        words=("db", "restore", "COPY"),
        follow=(RECONCILE, NIGHT, NIGHT),
    ),
    Scenario(
        name="restore of a damaged database",
        begin="listed",
        prepare=damaged,
        words=("db", "restore", "COPY"),
        follow=(RECONCILE, NIGHT, NIGHT),
    ),
    Scenario(name="restored elsewhere", begin="listed", prepare=nothing, words=("db", "restored"), follow=(RECONCILE,)),
    Scenario(name="first start", begin="empty", prepare=nothing, words=("accounts", "list")),
    Scenario(name="shop added", begin="listed", prepare=nothing, words=ADD_SHOP),
    Scenario(name="shop asked", begin="listed", prepare=nothing, words=("accounts", "check", "voso")),
    Scenario(
        name="token renewed",
        begin="listed",
        prepare=token_ended,
        words=("accounts", "check", "lazada"),
        codes=(0, AUTHORISE),  # a pair that was lost on its way to the disk needs its owner
    ),
    Scenario(name="shop removed", begin="listed", prepare=shop, words=("accounts", "remove", "hop-tac-xa")),
    Scenario(
        name="policy",
        begin="listed",
        prepare=nothing,
        words=("accounts", "policy", "voso", "--drift", "price=heal"),
    ),
    Scenario(
        name="rate",
        begin="listed",
        prepare=nothing,
        words=("accounts", "rate", "alibaba", "--currency", "USD", "--rate", "25000"),
        follow=(NIGHT,),
    ),
    Scenario(name="source added", begin="listed", prepare=nothing, words=("sources", "add", "SHEET"), listed=False),
    Scenario(name="source removed", begin="listed", prepare=nothing, words=("sources", "remove", "b.csv")),
    Scenario(
        name="sandbox emptied", begin="listed", prepare=nothing, words=("sandbox", "reset"), follow=(NIGHT, NIGHT)
    ),
]
