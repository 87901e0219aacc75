"""What a person asks for beyond the nightly run: again, only what failed, or only a look."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from connectors.simulator import Fault
from flows.steps.account import guarded
from flows.steps.approve import apply
from flows.steps.context import Account, Context
from flows.steps.night import UnknownAccount, begin, choose, each, resync
from flows.steps.plan import Selection
from models.ledger import LEDGER
from models.report import AUTHORISE, DONE, PEOPLE, AccountReport
from models.value import replace
from tests.scenarios.world import World, lose_answers, part, priced, shrimp


def test_force_sends_everything_again_though_nothing_changed(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    lone.night()
    before = len(lone.wires[market].sent)

    report = lone.night(Selection(force=True))

    assert report.exit_code == DONE, report.as_json()
    assert part(report, market).counts["updated"] == 3
    assert len(lone.wires[market].sent) > before
    assert lone.night().accounts[0].counts["unchanged"] == 3
    lone.assert_in_step()


def test_force_of_one_sku_leaves_the_others(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    lone.night()
    before = len(lone.outbox(market))

    lone.night(Selection(skus=("TK001",), force=True))

    assert [row.sku for row in lone.outbox(market)[before:]] == ["TK001"]


def test_one_sku_alone_is_sent_and_the_rest_stays_due(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))

    lone.night(Selection(skus=("TK001",)))
    alone = set(lone.shown(market))
    lone.night()

    assert alone == {"TK001"}
    assert len(lone.shown(market)) == 3


def test_only_what_failed_is_taken_up_again(lone: World, market: str) -> None:
    bad = replace(shrimp(1, lone.picture()), name="Tôm khô".replace("ô", "o\u0302"))
    lone.put(shrimp(0, lone.picture()), bad)
    lone.night()
    lone.put(priced(shrimp(0, lone.picture()), 260_000))
    before = len(lone.outbox(market))

    report = lone.night(Selection(failed=True))

    assert [row.sku for row in lone.outbox(market)[before:]] == ["TK001"]
    assert report.exit_code == PEOPLE
    assert lone.shown(market)["TK000"]["price"] == 250_000


def test_a_dry_run_says_what_would_be_done_and_does_nothing(world: World) -> None:
    world.put(*world.shrimps(3))
    world.night()
    world.put(priced(shrimp(1, world.picture(2)), 260_000), shrimp(7, world.picture()))
    world.remove("TK002")
    bookkeeping = ("run", "lease")  # that it ran, and that nobody else did meanwhile
    records, sent = world.dump(*bookkeeping), {name: len(wire.sent) for name, wire in world.wires.items()}

    report = resync(world.context(), dry_run=True)

    assert report.dry_run
    for account in report.accounts:
        done = {name: account.counts[name] for name in ("created", "updated", "delisted")}
        assert done == {"created": 1, "updated": 1, "delisted": 1}
    assert world.dump(*bookkeeping) == records
    assert {name: len(wire.sent) for name, wire in world.wires.items()} == sent


def test_a_dry_run_leaves_a_plan_that_someone_looks_at(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    plan = _made(lone.context(), market)

    resync(lone.context(), dry_run=True)
    report = apply(lone.context(), plan)

    assert report.exit_code == DONE
    assert len(lone.shown(market)) == 2


def _made(context: Context, market: str) -> int:
    made: list[int | None] = []

    def make(account: Account) -> AccountReport:
        with guarded(context, account, "plan") as (run, report):
            assert run is not None
            run.recover()
            made.append(run.plan().plan_id)
        return report

    each(context, begin(context, "plan"), choose(context, (market,)), make)
    return int(made[0] or 0)


def test_a_plan_is_applied_as_it_was_shown(lone: World, market: str) -> None:
    """A product that changed since is left to the next plan."""
    lone.put(*lone.shrimps(3))
    plan = _made(lone.context(), market)
    lone.put(priced(shrimp(1, lone.picture(2)), 260_000))

    report = apply(lone.context(), plan)
    applied = set(lone.shown(market))
    lone.night()

    assert report.exit_code == DONE
    assert applied == {"TK000", "TK002"}
    lone.assert_in_step()


def test_M12_wrong_credentials_stop_the_account_at_once_and_no_other(world: World, market: str) -> None:
    world.put(*world.shrimps(6))
    world.change_locks(market)

    report = world.night()

    assert report.exit_code == part(report, market).code == AUTHORISE
    assert part(report, market).status == "failed"
    assert len(world.wires[market].sent) <= 8  # what was under way when the first answer came
    assert world.shown(market) == {}
    assert all(a.counts["created"] == 6 for a in report.accounts if a.account != market)


def test_after_new_credentials_the_account_catches_up(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    lone.change_locks(market)
    lone.night()
    lone.credentials[market] = lone.sandboxes[market].marketplace.credentials

    report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    lone.assert_in_step()


def test_an_unknown_account_is_refused_before_anything_runs(world: World) -> None:
    world.put(*world.shrimps(1))

    with pytest.raises(UnknownAccount):
        resync(world.context(), ("khong-co",))

    assert all(wire.sent == [] for wire in world.wires.values())


def test_three_nights_in_a_row_write_once(world: World) -> None:
    world.put(*world.shrimps(5))
    world.night()
    sent = {name: len(wire.sent) for name, wire in world.wires.items()}
    records = world.dump("run", "lease")

    reports = [world.night(), world.night()]

    assert {name: len(wire.sent) for name, wire in world.wires.items()} == sent
    assert world.dump("run", "lease") == records
    assert all(a.counts["unchanged"] == 5 for r in reports for a in r.accounts)


def test_every_change_has_one_outcome_and_one_line_in_the_ledger(lone: World, market: str) -> None:
    """Some go through, one is refused, one is lost on the way, one goes, one has no price."""
    lone.put(*lone.shrimps(6))
    lone.night()
    for n in (1, 2):
        lone.put(priced(shrimp(n, lone.picture(n + 1)), 260_000))
    lone.put(replace(shrimp(3, lone.picture(4)), name="Tôm khô".replace("ô", "o\u0302")))
    lone.put(replace(shrimp(8, lone.picture(9)), is_alcohol=True))
    lone.remove("TK004")
    lose_answers(lone, market, 1)

    report = lone.night()

    counts = part(report, market).counts
    assert (counts["updated"], counts["delisted"], counts["rejected"], counts["unlistable"]) == (2, 1, 1, 2)
    assert counts["unchanged"] == part(report, market).live - 2
    lines = select(LEDGER.c.change_id, func.count()).where(LEDGER.c.event.in_(("acknowledged", "rejected")))
    with lone.database.connect() as db:
        ended = dict(db.execute(lines.group_by(LEDGER.c.change_id)).fetchall())
    rows = [row for row in lone.outbox(market) if row.status in ("acknowledged", "rejected")]
    assert ended == {row.id: 1 for row in rows}
    assert all(row.done_at for row in lone.outbox(market))


def test_an_item_nobody_may_show_is_told_with_its_next_step(lone: World, market: str) -> None:
    lone.put(replace(shrimp(8, lone.picture()), is_alcohol=True))

    report = lone.night()

    (problem,) = part(report, market).problems
    assert (problem["key"], problem["code"]) == ("TK008", "alcohol")
    assert problem["message"]["vi"]
    assert problem["next_step"]["vi"]
    assert part(report, market).withheld == {"alcohol": 1}
    assert report.exit_code == DONE
    assert lone.wires[market].sent == []


def test_one_account_alone_can_be_run(world: World, market: str) -> None:
    world.put(*world.shrimps(2))

    report = resync(world.context(), (market,))

    assert [a.account for a in report.accounts] == [market]
    assert [name for name, wire in world.wires.items() if wire.sent] == [market]


def test_a_slow_marketplace_is_waited_for(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    lone.sandboxes[market].fault(Fault(times=3, seconds=5.0))

    assert lone.night().exit_code == DONE
    lone.assert_in_step()
