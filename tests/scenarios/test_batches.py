"""Many changes in one request: each gets its own outcome, whatever order the answers come in."""

from __future__ import annotations

from models.report import DONE, PEOPLE
from models.value import replace
from tests.scenarios.world import World, part, shrimp


def decomposed(text: str) -> str:
    """The same letters in a Unicode form that every marketplace refuses; the intake would have composed them."""
    return text.replace("ô", "o\u0302")


def test_M04_one_bad_item_among_many_is_refused_alone(lone: World, market: str) -> None:
    products = [shrimp(n, lone.picture()) for n in range(60)]  # more than one batch
    lone.put(*products[:30], replace(products[30], name=decomposed(products[30].name)), *products[31:])

    report = lone.night()

    assert report.exit_code == PEOPLE
    assert part(report, market).counts["created"] == 59
    assert part(report, market).counts["rejected"] == 1
    assert [p["key"] for p in part(report, market).problems] == ["TK030"]
    assert set(lone.shown(market)) == {p.product_id for p in products} - {"TK030"}


def test_M04_one_bad_update_among_many_is_refused_alone(lone: World, market: str) -> None:
    products = [shrimp(n, lone.picture()) for n in range(12)]
    lone.put(*products)
    lone.night()
    better = [replace(p, brand="Rạch Gốc Ngọc Hiển") for p in products]
    lone.put(*better[:5], replace(better[5], description=decomposed("Tôm khô phơi nắng.")), *better[6:])

    report = lone.night()
    lone.put(better[5])
    mended = lone.night()

    assert part(report, market).counts["updated"] == 11
    assert part(report, market).counts["rejected"] == 1
    assert mended.exit_code == DONE
    lone.assert_in_step()


def test_M05_shuffled_answers_find_their_items(lone: World, market: str) -> None:
    """postmart answers a batch in any order: every listing still knows its own id there."""
    lone.put(*(shrimp(n, lone.picture(), price=100_000 + n) for n in range(40)))

    lone.night()

    for sku, shown in lone.shown(market).items():
        assert lone.state(market, sku).remote_id == shown["remote_id"]
        assert shown["price"] == 100_000 + int(sku[2:])
