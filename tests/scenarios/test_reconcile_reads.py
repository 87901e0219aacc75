"""A read that is not whole compares nothing, a restored account sends nothing, a wrong shop is not even read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select, update

from flows.steps.account import guarded
from models.database import writing
from models.listing import Remote
from models.report import AUTHORISE, DONE, DOWN, HELD
from models.tables import AccountRow, core
from tests.scenarios.world import Inline, Killed, World, part, priced, shrimp

ACCOUNTS = core(AccountRow)
LISTING = ("/products", "/list")


@pytest.fixture
def stall(lone: World) -> World:
    lone.put(*(shrimp(n, lone.picture()) for n in range(5)))
    lone.night()
    return lone


def kept(world: World) -> dict[str, Any]:
    """Everything that a reconcile could change, but its own traces and that the account did not answer."""
    return world.dump("run", "lease", "quota", "account")


Everything = Callable[[Any], Iterator[list[Remote]]]


def reading(monkeypatch: pytest.MonkeyPatch, market: str, change: Callable[[list[list[Remote]]], Any]) -> None:
    """The pages of the marketplace as they come through a broken line."""
    module = f"connectors.{market}.client"
    name = {"madeincamau": "MadeInCamauClient", "postmart": "PostmartClient", "voso": "Client"}[market]
    real: Everything = getattr(import_module(module), name).everything
    monkeypatch.setattr(f"{module}.{name}.everything", lambda self: iter(change(list(real(self)))))


def endless(pages: list[list[Remote]]) -> Iterator[list[Remote]]:
    while True:
        yield from pages


def test_M21_a_page_that_leaves_listings_out_compares_nothing(
    stall: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages end as they should, but two listings are in none of them: asked for by name, they are there."""
    stall.edit_by_hand(market, "TK000", 111_000)
    reading(monkeypatch, market, lambda pages: [[r for r in page if r.key not in ("TK002", "TK003")] for page in pages])
    before, writes = kept(stall), stall.writes(market)

    report = stall.reconcile(heal=True)

    assert report.exit_code == DOWN
    assert [p["code"] for p in part(report, market).problems] == ["incomplete-read"]
    assert (kept(stall), stall.writes(market)) == (before, writes)


def test_M21_an_empty_answer_does_not_make_a_whole_shop_again(
    stall: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall.policies[market] = replace(stall.policies[market], deleted="recreate")
    reading(monkeypatch, market, lambda pages: [[]])
    before, writes = kept(stall), stall.writes(market)

    report = stall.reconcile()

    assert report.exit_code == DOWN
    assert (kept(stall), stall.writes(market)) == (before, writes)


def test_M21_pages_without_end_are_given_up(stall: World, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new cursor each time, and always the same listings behind it."""
    reading(monkeypatch, market, endless)
    before = kept(stall)

    report = stall.reconcile(heal=True)

    assert [p["code"] for p in part(report, market).problems] == ["endless-pages"]
    assert kept(stall) == before


def test_M21_a_listing_on_two_pages_is_one_listing(stall: World, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It moved while the pages were read."""
    reading(monkeypatch, market, lambda pages: [*pages, pages[0][:1]])

    assert stall.reconcile(heal=True).exit_code == DONE


def test_M21_a_cursor_that_repeats_changes_nothing(stall: World, market: str) -> None:
    """The wire itself goes round: the answer to the first page comes again for ever."""
    stall.edit_by_hand(market, "TK000", 111_000)
    cycle(stall, market)
    before, writes = kept(stall), stall.writes(market)

    report = stall.reconcile(heal=True)

    assert report.exit_code == DOWN
    assert (kept(stall), stall.writes(market)) == (before, writes)


def cycle(world: World, market: str) -> None:
    """Every page says that there is another one, and it is always this."""
    far = world.sandboxes[market].marketplace
    real = far.handle

    def handle(request: httpx.Request, path: list[str]) -> Any:
        answer = real(request, path)
        if path[-1] not in ("products", "list") or answer.response.status_code != 200:
            return answer
        data = msgspec.json.decode(answer.response.content)
        inner = data["data"] if market == "voso" else data
        inner |= {"total": 100, "page": 1} if market == "voso" else {"next_cursor": "5a"}
        answer.response.stream = httpx.ByteStream(msgspec.json.encode(data))
        del answer.response._content
        answer.response.read()
        return answer

    far.handle = handle


# --- after a restored backup ------------------------------------------------------------------------------------------


def must_read_back(world: World) -> bool:
    with world.database.connect() as db:
        return bool(db.execute(select(ACCOUNTS.c.needs_reconcile)).scalar_one())


def mark_restored(world: World) -> None:
    with writing(world.database) as db:
        db.execute(update(ACCOUNTS).values(needs_reconcile=True))


def test_P20_a_reconcile_that_fails_half_way_leaves_the_account_closed(
    stall: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_restored(stall)
    with monkeypatch.context() as broken:
        reading(broken, market, lambda pages: [[]])
        failed = stall.reconcile()
    refused = stall.night()

    assert failed.exit_code == DOWN
    assert must_read_back(stall)
    assert [p["code"] for p in part(refused, market).problems] == ["needs-reconcile"]
    assert stall.reconcile().exit_code == DONE
    assert not must_read_back(stall)


@pytest.mark.parametrize("nth", [3, 6, 9, 12, 15, 18])
def test_P20_a_reconcile_that_is_killed_leaves_the_account_closed_or_read(stall: World, market: str, nth: int) -> None:
    """Whatever commit it dies at: either everything was read and believed, or nothing may be sent."""
    stall.edit_by_hand(market, "TK001", 240_000)
    mark_restored(stall)
    stall.clock.advance(minutes=1)
    stall.kill_at_commit(nth)
    with suppress(Killed):
        stall.reconcile()
    stall.unhook()
    stall.clock.advance(minutes=5)
    believed = stall.state(market, "TK001").due_at is not None

    assert must_read_back(stall) or believed
    stall.reconcile()
    stall.night()
    stall.assert_in_step()


def test_P20_no_policy_sends_anything_while_the_records_are_those_of_the_backup(stall: World, market: str) -> None:
    rules = {"price": "heal"}
    stall.policies[market] = replace(stall.policies[market], drift=rules, deleted="recreate")
    stall.edit_by_hand(market, "TK001", 240_000)
    if market != "voso":
        stall.delete_by_hand(market, "TK002")
    mark_restored(stall)
    writes = stall.writes(market)

    stall.reconcile()

    assert stall.writes(market) == writes
    assert not must_read_back(stall)
    assert stall.due(market, "TK001") is not None


def test_P20_a_plan_approved_before_the_backup_is_not_carried_out_after_it(tmp_path: Path, market: str) -> None:
    """It was carried out after the backup was made: once more would be a second listing on Vỏ Sò."""
    world = World(tmp_path, [market], pool=Inline)
    world.put(shrimp(0, world.picture()))
    world.night()
    world.put(shrimp(1, world.picture()))
    with world.database.connect() as db:
        before = db.exec_driver_sql("SELECT count(*) FROM plan").scalar()
    approve_unsent(world)
    world.database.dispose()
    shutil.copy(tmp_path / "caybeo.sqlite", tmp_path / "kept")
    world.night()  # carries it out
    listed = len(world.sandboxes[market].show()["listings"])
    world.database.dispose()
    for file in tmp_path.glob("caybeo.sqlite*"):
        file.unlink()
    shutil.copy(tmp_path / "kept", tmp_path / "caybeo.sqlite")
    mark_restored(world)

    world.reconcile()
    world.night()

    assert before == 1
    assert listed == len(world.sandboxes[market].show()["listings"]) == 2
    world.assert_in_step()
    world.close()


def approve_unsent(world: World) -> None:
    """A plan that a person has let through; the process ended before it was sent."""
    context = world.context()
    (account,) = world.accounts()
    with guarded(context, account, "approved-run") as (run, _):
        assert run is not None
        planned = run.plan()
        with run.transaction("approved") as db:
            db.exec_driver_sql("UPDATE plan SET status = 'approved' WHERE id = ?", (planned.plan_id,))


def test_P20_what_was_held_before_the_backup_must_be_asked_about_again(stall: World, market: str) -> None:
    stall.put(priced(shrimp(1, stall.picture()), 900_000))
    assert stall.night().exit_code == HELD
    mark_restored(stall)

    stall.reconcile()
    report = stall.night()

    assert report.exit_code == HELD
    assert [row.status for row in stall.outbox(market)][-2:] == ["cancelled", "held"]


# --- another shop -----------------------------------------------------------------------------------------------------


def test_M22_credentials_of_another_shop_read_and_change_nothing(stall: World, market: str) -> None:
    """Its listings would all look foreign, and ours all deleted."""
    (account,) = stall.accounts()
    wrong = stall.context(accounts=lambda: [replace(account, seller="cua-hang-khac")])
    stall.edit_by_hand(market, "TK001", 111_000)
    before, writes = kept(stall), stall.writes(market)
    sent = len(stall.wires[market].sent)
    stall.context = lambda **changes: wrong  # type: ignore[method-assign]  # what `reconcile` asks for

    report = stall.reconcile(heal=True)

    assert report.exit_code == AUTHORISE
    assert [p["code"] for p in part(report, market).problems] == ["wrong-shop"]
    assert not any(path.endswith(LISTING) for path in stall.wires[market].sent[sent:])
    assert (kept(stall), stall.writes(market)) == (before, writes)
