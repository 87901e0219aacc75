"""Where big damage begins, to the unit, and how the small steps of 24 hours add up to it."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from flows.steps.guard import EXAMPLES, Watch, price_jump


def codes(watch: Watch) -> list[str]:
    return [reason["code"] for reason in watch.verdict()]


def move(sku: str, **changes: Any) -> Any:
    """A price or stock that was changed, acknowledged and is shown; as the ledger gives it."""
    row = {"sku": sku, "kind": "update", "counted": True, "status": "acknowledged", "shown": "live"}
    row |= {"old_price": None, "price": None, "old_stock": None, "stock": None}
    return SimpleNamespace(**row | {name: _money(name, value) for name, value in changes.items()})


def _money(name: str, value: Any) -> Any:
    return Decimal(value) if name.endswith("price") and value is not None else value


def delist(sku: str, **changes: Any) -> Any:
    return move(sku, **{"kind": "delist", "shown": "hidden"} | changes)


def deleting(watch: Watch, count: int) -> Watch:
    for n in range(count):
        watch.delete(f"TK{n}", "Tôm khô")
    return watch


# --- one plan -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "earlier", "deletes", "waits"),
    [
        (30, 0, 5, False),
        (30, 0, 6, True),
        (25, 5, 1, True),
        (21, 9, 0, False),  # what went before is no reason to hold a plan that takes nothing down
        (200, 0, 10, False),
        (200, 0, 11, True),
        (190, 10, 1, True),  # of the 200 that were live when the day began
        (191, 9, 1, False),
        (0, 0, 0, False),
    ],
)
def test_more_than_five_and_more_than_five_percent(live: int, earlier: int, deletes: int, *, waits: bool) -> None:
    watch = Watch(live=live, sent=[delist(f"CU{n}") for n in range(earlier)])

    deleting(watch, deletes)

    assert codes(watch) == ["mass-delist"] * waits


@pytest.mark.parametrize(("moved", "waits"), [(20, False), (21, True)])
def test_a_fifth_of_the_prices_by_more_than_thirty_percent(moved: int, *, waits: bool) -> None:
    watch = Watch(live=100)

    for n in range(moved):
        watch.price(f"TK{n}", "Tôm khô", Decimal(1000), Decimal(1301))
    for n in range(moved, 100):
        watch.price(f"TK{n}", "Tôm khô", Decimal(1000), Decimal(1300 if n % 2 else 700))

    assert codes(watch) == ["mass-price"] * waits


@pytest.mark.parametrize(("emptied", "waits"), [(20, False), (21, True)])
def test_a_fifth_of_the_stock_to_nothing(emptied: int, *, waits: bool) -> None:
    watch = Watch(live=100)

    for n in range(emptied):
        watch.stock(f"TK{n}", "Tôm khô", 7, 0)
    for n in range(emptied, 100):
        watch.stock(f"TK{n}", "Tôm khô", 0, 0)

    assert codes(watch) == ["mass-zero-stock"] * waits


@pytest.mark.parametrize(
    ("old", "new", "goes"),
    [(1000, 3000, True), (1000, 3001, False), (3000, 1000, True), (3001, 1000, False), (None, 9_000_000, True)],
)
def test_one_price_by_more_than_three_times(old: int | None, new: int, *, goes: bool) -> None:
    watch = Watch(live=1000)

    assert (watch.price("TK1", "Tôm khô", None if old is None else Decimal(old), Decimal(new)) is None) is goes


def test_what_comes_back_is_a_part_of_what_is_shown() -> None:
    """A shop that opens again: one dearer item of ten is few, though nothing is live yet."""
    watch = Watch(live=0)

    for n in range(10):
        watch.returns(f"TK{n}")
        watch.price(f"TK{n}", "Tôm khô", Decimal(1000), Decimal(1400 if n == 0 else 1000))

    assert codes(watch) == []


def test_prices_that_move_while_a_listing_is_down_are_moves() -> None:
    watch = Watch(live=0)

    for n in range(10):
        watch.returns(f"TK{n}")
        watch.price(f"TK{n}", "Tôm khô", Decimal(1000), Decimal(1400 if n < 3 else 1000))

    assert codes(watch) == ["mass-price"]


# --- 24 hours -------------------------------------------------------------------------------------------------------


def test_three_steps_of_a_fifth_are_one_of_three_quarters() -> None:
    steps = [(1000, 1200), (1200, 1440)]
    sent = [move(f"TK{n}", old_price=old, price=new) for n in range(21) for old, new in steps]
    watch = Watch(live=100, sent=sent)

    for n in range(21):
        watch.price(f"TK{n}", "Tôm khô", Decimal(1440), Decimal(1728))

    (reason,) = watch.verdict()
    assert (reason["code"], reason["count"]) == ("mass-price", 21)
    assert reason["examples"][0] == {"sku": "TK0", "name": "Tôm khô", "old": 1000, "new": 1728}


def test_other_items_each_time_add_up() -> None:
    watch = Watch(live=100, sent=[move(f"CU{n}", old_price=1000, price=1400) for n in range(20)])

    watch.price("TK1", "Tôm khô", Decimal(1000), Decimal(1400))

    (reason,) = watch.verdict()
    assert (reason["code"], reason["count"]) == ("mass-price", 21)
    assert "20 là của 24 giờ vừa qua" in reason["vi"]
    assert "20 of these" in reason["en"]


def test_prices_that_go_back_may_go_and_take_themselves_off_the_count_once_they_are_sent() -> None:
    """Before that the one that goes back may fail, and the other that takes its place be one too many."""
    out = [move(f"TK{n}", old_price=1000, price=1400) for n in range(20)]
    back = [move(f"TK{n}", old_price=1400, price=1000) for n in range(20)]
    going, gone = Watch(live=100, sent=out), Watch(live=100, sent=[*out, *back])

    for n in range(20):
        assert going.price(f"TK{n}", "Tôm khô", Decimal(1400), Decimal(1000)) is None
    assert codes(going) == []
    for watch in (going, gone):
        watch.price("CU1", "Cua", Decimal(1000), Decimal(1400))
    assert codes(going) == ["mass-price"]
    assert codes(gone) == []


def test_a_plan_that_moves_no_price_is_not_held_for_yesterday() -> None:
    watch = Watch(live=100, sent=[move(f"CU{n}", old_price=1000, price=1400) for n in range(40)])

    watch.price("TK1", "Tôm khô", Decimal(1000), Decimal(1100))

    assert codes(watch) == []


@pytest.mark.parametrize(
    ("steps", "now", "new", "since"),
    [
        ([(1000, 2500)], 2500, 3001, 1000),  # small itself, too far from where it began
        ([(1000, 2500)], 2500, 3000, None),
        ([(1000, 400)], 400, 333, 1000),
        ([(1000, 2990)], 2990, 1100, None),  # about back to where it was
        ([(1000, 2990)], 2990, 500, 2990),  # a jump of its own, to where it never was
        ([], 1000, 3001, 1000),
    ],
)
def test_one_price_is_compared_with_where_it_began(
    steps: list[tuple[int, int]], now: int, new: int, since: int | None
) -> None:
    watch = Watch(live=1000, sent=[move("TK1", old_price=a, price=b) for a, b in steps])

    assert watch.price("TK1", "Tôm khô", Decimal(now), Decimal(new)) == since


def test_what_a_person_approved_is_the_new_normal() -> None:
    steps = [
        move("TK1", old_price=1000, price=1250),
        move("TK1", old_price=1250, price=4000, counted=False),
        move("TK1", old_price=4000, price=4400),
    ]
    watch = Watch(live=2, sent=steps)

    assert watch.price("TK1", "Tôm khô", Decimal(4400), Decimal(5000)) is None
    assert codes(watch) == []


def test_steps_after_an_approval_add_up_again() -> None:
    steps = [move("TK1", old_price=1000, price=4000, counted=False), move("TK1", old_price=4000, price=4900)]
    watch = Watch(live=2, sent=steps)

    watch.price("TK1", "Tôm khô", Decimal(4900), Decimal(5300))

    assert codes(watch) == ["mass-price"]


def test_a_listing_emptied_twice_counts_once() -> None:
    sent = [
        *(move(f"TK{n}", old_stock=40, stock=0) for n in range(20)),
        *(move(f"TK{n}", old_stock=0, stock=40) for n in range(20)),
    ]
    watch = Watch(live=100, sent=sent)

    for n in range(20):
        watch.stock(f"TK{n}", "Tôm khô", 40, 0)

    assert codes(watch) == []


def test_a_shelf_that_was_empty_when_the_day_began_loses_nothing() -> None:
    watch = Watch(live=100, sent=[move(f"TK{n}", old_stock=0, stock=40) for n in range(21)])

    for n in range(21):
        watch.stock(f"TK{n}", "Tôm khô", 40, 0)

    assert codes(watch) == []


def test_emptied_a_few_at_a_time_is_emptied() -> None:
    watch = Watch(live=100, sent=[move(f"TK{n}", old_stock=40, stock=0) for n in range(20)])

    watch.stock("TK20", "Tôm khô", 1, 0)

    assert codes(watch) == ["mass-zero-stock"]


def test_stock_that_is_filled_again_takes_itself_off_the_count_once_it_is_sent() -> None:
    out = [move(f"TK{n}", old_stock=40, stock=0) for n in range(20)]
    filling, filled = Watch(live=100, sent=out), Watch(live=100, sent=[*out, move("TK0", old_stock=0, stock=40)])
    filling.stock("TK0", "Tôm khô", 0, 40)
    assert codes(filling) == []

    for watch in (filling, filled):
        watch.stock("TK20", "Tôm khô", 1, 0)

    assert codes(filling) == ["mass-zero-stock"]
    assert codes(filled) == []


@pytest.mark.parametrize("status", ["sending", "accepted", "unknown"])
def test_a_removal_without_an_answer_counts_as_done(status: str) -> None:
    watch = Watch(live=30, sent=[delist(f"CU{n}", status=status, shown="live") for n in range(5)])

    deleting(watch, 1)

    assert codes(watch) == ["mass-delist"]


def test_what_came_back_was_not_lost() -> None:
    watch = Watch(live=30, sent=[delist(f"CU{n}", shown="live") for n in range(5)])

    deleting(watch, 5)

    assert codes(watch) == []


def test_an_approved_removal_counts_neither_as_lost_nor_as_stock() -> None:
    """Of 1,000 listings 900 were taken down with approval: of the hundred left, five may go unasked."""
    watch = Watch(live=100, sent=[delist(f"CU{n}", counted=False) for n in range(900)])

    deleting(watch, 6)

    assert codes(watch) == ["mass-delist"]


def test_what_waits_counts_until_it_is_judged_anew() -> None:
    waiting = [delist(f"TK{n}", status="held", shown=None) for n in range(6)]
    watch, again = Watch(live=30, waiting=waiting), Watch(live=30, waiting=waiting)

    deleting(watch, 1)
    again.give_way(f"TK{n}" for n in range(3))
    deleting(again, 1)

    assert watch.verdict()[0]["count"] == 6
    assert codes(again) == []


def test_what_may_still_be_sent_counts_and_what_needs_a_person_does_not() -> None:
    """A plan that was applied and could not be sent whole goes on by itself; a held one does not."""
    prices = {"old_price": 1000, "price": 1400, "shown": None}
    planned = [move(f"CU{n}", status="planned", **prices) for n in range(20)]
    held = [move(f"CA{n}", status="held", **prices) for n in range(20)]
    watch, other = Watch(live=100, waiting=planned), Watch(live=100, waiting=held)

    watch.price("TK1", "Tôm khô", Decimal(1000), Decimal(1400))
    other.price("TK1", "Tôm khô", Decimal(1000), Decimal(1400))

    assert (codes(watch), codes(other)) == (["mass-price"], [])


def test_closing_a_second_listing_is_no_approval() -> None:
    sent = [move("TK1", old_price=1000, price=2900), move("TK1", kind="close", counted=False)]
    watch = Watch(live=1000, sent=sent)

    assert watch.price("TK1", "Tôm khô", Decimal(2900), Decimal(3100)) == 1000


# --- sentences ------------------------------------------------------------------------------------------------------


def test_a_reason_counts_all_and_shows_a_few() -> None:
    watch = Watch(live=30)
    for n in range(25):
        watch.delete(f"TK{n}", f"Tôm khô số {n}")

    (reason,) = watch.verdict()

    assert reason["count"] == 25
    assert "25" in reason["vi"]
    assert "25" in reason["en"]
    assert "24" not in reason["vi"]
    assert reason["examples"] == [{"sku": f"TK{n}", "name": f"Tôm khô số {n}"} for n in range(EXAMPLES)]


def test_a_jump_is_told_with_both_prices() -> None:
    reason = price_jump("TK1", "Tôm khô", Decimal(250_000), Decimal(2_500_000))

    assert "250.000 ₫" in reason["vi"]
    assert "2.500.000 ₫" in reason["vi"]
    assert reason["examples"] == [{"sku": "TK1", "name": "Tôm khô", "old": 250_000, "new": 2_500_000}]
