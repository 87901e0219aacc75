"""Where big damage begins, to the unit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flows.steps.guard import EXAMPLES, Watch, price_jump


def codes(watch: Watch) -> list[str]:
    return [reason["code"] for reason in watch.verdict()]


@pytest.mark.parametrize(
    ("live", "earlier", "deletes", "waits"),
    [
        (30, 0, 5, False),
        (30, 0, 6, True),
        (30, 5, 1, True),
        (30, 9, 0, False),  # what went before is no reason to hold a plan that takes nothing down
        (200, 0, 10, False),
        (200, 0, 11, True),
        (0, 0, 0, False),
    ],
)
def test_more_than_five_and_more_than_five_percent(live: int, earlier: int, deletes: int, *, waits: bool) -> None:
    watch = Watch(live=live, earlier=earlier)

    for n in range(deletes):
        watch.delete(f"TK{n}", "Tôm khô")

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

    assert watch.price("TK1", "Tôm khô", None if old is None else Decimal(old), Decimal(new)) is goes


def test_a_reason_counts_all_and_shows_a_few() -> None:
    watch = Watch(live=30)
    for n in range(25):
        watch.delete(f"TK{n}", f"Tôm khô số {n}")

    (reason,) = watch.verdict()

    assert reason["count"] == 25
    assert "25" in reason["vi"]
    assert "25" in reason["en"]
    assert reason["examples"] == [{"sku": f"TK{n}", "name": f"Tôm khô số {n}"} for n in range(EXAMPLES)]


def test_a_jump_is_told_with_both_prices() -> None:
    reason = price_jump("TK1", "Tôm khô", Decimal(250_000), Decimal(2_500_000))

    assert "250.000 ₫" in reason["vi"]
    assert "2.500.000 ₫" in reason["vi"]
    assert reason["examples"] == [{"sku": "TK1", "name": "Tôm khô", "old": 250_000, "new": 2_500_000}]
