"""The timetable is proved the slow way: a healthy world gives no finding, and each thing forgotten is found by name."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from flows.steps import audit as step
from flows.steps.approve import refuse
from flows.steps.audit import AuditReport, audit
from models import value
from models.catalogue import Certificate
from models.database import writing
from models.report import DONE, HELD, PEOPLE
from models.tables import AccountRow, Withdrawal, core
from models.timetable import STATE
from tests.scenarios.world import Killed, World, part, priced, refuse_writes, stocked

ENDING = Certificate(star=4, issued_on=date(2023, 12, 1))  # ends with 30 November 2026


@pytest.fixture
def stall(world: World) -> World:
    """All three marketplaces, with a star that ends in a week and an item that must not be shown."""
    products = world.shrimps(4)
    products[1] = value.replace(products[1], certificates=(ENDING,))
    products[2] = priced(products[2], 0)
    world.put(*products)
    world.night()
    return world


def audited(world: World, *names: str) -> AuditReport:
    accounts = [a for a in world.accounts() if not names or a.name in names]
    return audit(world.context(), accounts)


def found(world: World, *names: str) -> list[tuple[str, str, str]]:
    return [(f["account"], f["key"], f["code"]) for f in audited(world, *names).findings]


def forget(world: World, account: str, sku: str, **values: Any) -> None:
    """By hand, as no code of ours should."""
    where = (STATE.c.account == account, STATE.c.sku == sku)
    with writing(world.database) as db:
        db.execute(update(STATE).where(*where).values(**({"due_at": None, "due_reason": None} | values)))


def test_a_healthy_world_gives_no_finding(stall: World) -> None:
    report = audited(stall)

    assert report.findings == []
    assert report.code == DONE
    assert [(a.checked, a.equal, a.forgotten) for a in report.accounts] == [(4, 4, 0)] * 3


def test_it_only_reads(stall: World) -> None:
    before, sent = stall.dump(), [len(wire.sent) for wire in stall.wires.values()]

    audited(stall)

    assert (stall.dump(), [len(wire.sent) for wire in stall.wires.values()]) == (before, sent)


def test_forty_days_of_ending_stars_old_prices_and_changes_leave_nothing_forgotten(world: World) -> None:
    """Every morning after the night, and every evening before the next one."""
    draw = random.Random(40)
    ends = [Certificate(star=3, issued_on=date(2023, 11, 1) + timedelta(days=n * 5)) for n in range(12)]
    products = [value.replace(p, certificates=(c,)) for p, c in zip(world.shrimps(12), ends, strict=True)]
    world.put(*products)
    for _ in range(40):
        assert found(world) == []
        world.night()
        assert found(world) == []
        one = draw.randrange(12)
        change = draw.choice(
            [lambda p: priced(p, draw.randrange(240, 260) * 1_000), lambda p: stocked(p, 7), lambda p: p]
        )
        products[one] = change(products[one])
        world.put(products[one])
        world.clock.advance(days=1)

    for n in range(12):
        assert world.state("voso", f"TK{n:03}").note in ("star-not-shown", "old-price")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: priced(p, 260_000), "price"),
        (lambda p: stocked(p, 3), "stock"),
        (lambda p: value.replace(p, name="Tôm khô loại một"), "content"),
        (lambda p: priced(p, 0), "taking it down"),
    ],
)
def test_a_change_that_nobody_would_send_is_found(stall: World, change: Callable[[Any], Any], what: str) -> None:
    stall.put(change(stall.shrimps(1)[0]))
    forget(stall, "postmart", "TK000")

    report = audited(stall)

    (finding,) = report.findings
    assert (finding["account"], finding["key"], finding["code"]) == ("postmart", "TK000", "not-due")
    assert what in finding["message"].en
    assert "caybeo sync --account postmart --sku TK000" in finding["next_step"].vi
    assert (report.code, report.forgotten) == (PEOPLE, 1)


def test_a_change_that_would_be_sent_only_some_day_is_found(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 260_000))
    forget(stall, "voso", "TK000", due_at=stall.clock.now() + timedelta(days=2), due_reason="calendar")

    assert found(stall) == [("voso", "TK000", "not-due")]


def test_a_new_product_that_nobody_would_list_is_found(stall: World) -> None:
    stall.put(*stall.shrimps(5)[4:])
    forget(stall, "madeincamau", "TK004")

    assert found(stall) == [("madeincamau", "TK004", "not-due")]


def test_a_removed_product_that_would_stay_on_sale_is_found(stall: World) -> None:
    stall.remove("TK000")
    for name in ("madeincamau", "voso"):
        forget(stall, name, "TK000")

    assert found(stall) == [("madeincamau", "TK000", "not-due"), ("voso", "TK000", "not-due")]


def test_a_withdrawn_item_that_would_stay_on_sale_is_found(stall: World) -> None:
    row = {"sku": "TK000", "reason": "lô lỗi", "who": "Chị Lan", "at": stall.clock.now()}
    with writing(stall.database) as db:
        db.execute(insert(core(Withdrawal)).values(**row))

    assert found(stall, "voso") == [("voso", "TK000", "not-due")]


def test_a_star_that_would_be_shown_after_its_end_is_found_before_it_is(stall: World) -> None:
    forget(stall, "voso", "TK001")

    (finding,) = audited(stall).findings

    assert (finding["account"], finding["key"], finding["code"]) == ("voso", "TK001", "late")
    assert "01/12/2026" in finding["message"].vi


def test_a_look_that_comes_a_day_late_is_found(stall: World) -> None:
    due = stall.due("voso", "TK001")
    forget(stall, "voso", "TK001", due_at=due + timedelta(days=1), due_reason="calendar")

    assert found(stall) == [("voso", "TK001", "late")]


def test_a_star_shown_after_its_end_is_found_too(stall: World) -> None:
    forget(stall, "voso", "TK001")
    stall.clock.advance(days=10)

    stall.night()

    assert ("voso", "TK001", "not-due") in found(stall)


def test_a_sku_without_a_row_is_found(stall: World) -> None:
    with writing(stall.database) as db:
        db.execute(delete(STATE).where(STATE.c.account == "voso", STATE.c.sku == "TK003"))

    assert found(stall) == [("voso", "TK003", "no-row")]


def test_a_sku_without_a_row_whose_product_was_removed_is_nothing(stall: World) -> None:
    stall.remove("TK003")
    stall.night()
    with writing(stall.database) as db:
        db.execute(delete(STATE).where(STATE.c.account == "voso", STATE.c.sku == "TK003"))

    assert found(stall) == []


def test_a_due_row_whose_product_is_gone_is_found(stall: World) -> None:
    forget(stall, "voso", "TK003", product_id="KHONG-CO", due_at=stall.clock.now())
    forget(stall, "postmart", "TK003", product_id="KHONG-CO")

    assert found(stall) == [("voso", "TK003", "no-product")]


# --- what explains a difference ---------------------------------------------------------------------------------------


def test_what_is_due_is_not_forgotten(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 260_000))

    report = audited(stall)

    assert report.findings == []
    assert [a.due for a in report.accounts] == [1, 1, 1]


def test_what_waits_for_approval_is_not_forgotten(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 900_000))
    assert stall.night().exit_code == HELD

    report = audited(stall)

    assert report.findings == []
    assert [a.under_way for a in report.accounts] == [1, 1, 1]


def test_what_a_person_refused_rests_until_its_record_changes(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 900_000))
    report = stall.night()
    for name in stall.sandboxes:
        refuse(stall.context(), part(report, name).plans[0]["id"], "Chị Lan", "gõ nhầm")
    resting = audited(stall)
    stall.put(priced(stall.shrimps(1)[0], 950_000))
    forget(stall, "voso", "TK000")

    assert resting.findings == []
    assert [a.resting for a in resting.accounts] == [1, 1, 1]
    assert found(stall) == [("voso", "TK000", "not-due")]


def test_what_the_marketplace_rejected_rests_until_its_record_changes(stall: World) -> None:
    bad = value.replace(stall.shrimps(1)[0], description="Chữa khỏi bách bệnh.")
    stall.put(bad)
    stall.night()
    resting = audited(stall, "voso")
    stall.put(value.replace(bad, description="Đặc trị mọi bệnh."))
    forget(stall, "voso", "TK000")

    assert stall.state("voso", "TK000").outcome == "rejected"
    assert resting.findings == []
    assert resting.accounts[0].resting == 1
    assert ("voso", "TK000", "not-due") in found(stall, "voso")


def test_a_doubt_that_waits_for_a_person_is_not_forgotten(stall: World) -> None:
    forget(stall, "voso", "TK000", status="absent", baseline={}, doubt=True, due_at=stall.due("voso", "TK000"))

    assert "not-due" not in {code for _, _, code in found(stall)}


def test_what_waits_for_its_hour_is_not_forgotten(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 260_000))
    forget(stall, "voso", "TK000", due_at=stall.clock.now() + timedelta(hours=1), due_reason="retry")

    assert found(stall) == []


def test_after_trouble_nothing_is_forgotten(stall: World) -> None:
    for name in stall.sandboxes:
        refuse_writes(stall, name, 3)
    stall.put(*(priced(p, 260_000) for p in stall.shrimps(2)))

    for _ in range(4):
        stall.night()
        assert found(stall) == []


def test_a_deleted_listing_that_nobody_wants_again_is_not_forgotten(stall: World) -> None:
    stall.delete_by_hand("postmart", "TK000")
    stall.reconcile("postmart")
    stall.put(priced(stall.shrimps(1)[0], 260_000))
    stall.night()

    assert stall.state("postmart", "TK000").status == "gone"
    assert found(stall) == []


def test_a_heal_that_was_cut_off_anywhere_is_still_due(stall: World) -> None:
    """Also between taking the marketplace's word and planning from it."""
    for nth in range(8, 40):
        stall.edit_by_hand("postmart", "TK000", 240_000)
        stall.kill_at_commit(nth)
        with suppress(Killed):
            stall.reconcile("postmart", heal=True)
            break
        stall.unhook()
        assert found(stall, "postmart") == []
        stall.clock.advance(hours=2)
        stall.night()
        stall.reconcile("postmart")

    assert 15 < nth < 39


@pytest.mark.parametrize("mode", ["file", "dormant"])
def test_an_account_to_which_nothing_is_sent_has_nothing_to_forget(stall: World, mode: str) -> None:
    stall.put(priced(stall.shrimps(1)[0], 260_000))
    forget(stall, "voso", "TK000")
    accounts = [replace(a, mode=mode) if a.name == "voso" else a for a in stall.accounts()]

    report = audit(stall.context(), accounts)

    assert report.findings == []
    assert next(a for a in report.accounts if a.account == "voso").quiet


def test_a_mapping_that_changed_is_the_next_run_s_affair(stall: World) -> None:
    stall.put(priced(stall.shrimps(1)[0], 260_000))
    forget(stall, "voso", "TK000")
    with writing(stall.database) as db:
        db.execute(update(core(AccountRow)).where(core(AccountRow).c.name == "voso").values(mapping_version=0))

    assert found(stall, "voso") == []
    stall.night()
    assert found(stall) == []


# --- size -------------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_catalogue(lone: World, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the listings, in chunks of the same size: about the same peak."""
    monkeypatch.setattr(step, "CHUNK", 25)
    peaks = []
    for size in (50, 200):
        lone.put(*lone.shrimps(size))
        audited(lone)
        tracemalloc.start()
        report = audited(lone)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.accounts[0].checked == size

    assert peaks[1] < peaks[0] * 1.5


def test_more_findings_than_anybody_reads_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "MOST_FINDINGS", 4)
    world.put(*world.shrimps(3))
    with writing(world.database) as db:
        db.execute(delete(STATE))

    report = audited(world)

    assert (len(report.findings), report.forgotten) == (4, 9)
