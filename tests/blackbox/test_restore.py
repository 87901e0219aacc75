"""A restored backup has forgotten what was sent: nothing is written before every account was read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.blackbox.shop import ACCOUNT, DONE, DOWN, FILLED, PEOPLE, PRODUCTS, Shop

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shop", ["voso"], indirect=True)
def test_P20_a_restored_backup_is_read_back_before_the_night_writes_again(shop: Shop, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup.sqlite")
    made = shop.here("db", "backup", backup)
    filled = shop.here("nightly", "-a", ACCOUNT)
    shop.set_price(PRODUCTS[0], 59_000)
    moved = shop.here("nightly", "-a", ACCOUNT)
    restored = shop.run("db", "restore", backup)
    before = shop.requests

    refused = shop.night()
    untouched = shop.requests
    read = shop.run("reconcile", "-a", ACCOUNT, "--json")
    unwritten = shop.requests["write"]
    after = shop.night()
    written = shop.requests["write"]

    assert (made.code, filled.code, moved.code, restored.code) == (DONE,) * 4, (made, filled, moved, restored)
    assert "caybeo reconcile" in restored.out
    assert refused.code == PEOPLE, refused
    assert [problem["code"] for problem in refused.problems] == ["needs-reconcile"]
    assert "caybeo reconcile" in refused.problems[0]["next_step"]
    assert untouched == before
    assert read.code in (DONE, PEOPLE), read
    assert unwritten == written == before["write"]  # what was read back is what the records say
    assert after.code == DONE, after
    assert shop.shelf == FILLED
    assert shop.prices[PRODUCTS[0]] == 59_000


def test_P20_an_incomplete_read_back_keeps_the_account_closed(shop: Shop, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup.sqlite")
    shop.here("db", "backup", backup)
    shop.here("nightly", "-a", ACCOUNT)
    shop.here("db", "restore", backup)
    shop.proxy.add("drop", times=100, path=r"/products\?")

    half = shop.here("reconcile", "-a", ACCOUNT, "--json")
    shop.proxy.calm()
    refused = shop.here("nightly", "-a", ACCOUNT, "--json")
    shop.here("reconcile", "-a", ACCOUNT, "--json")
    after = shop.here("nightly", "-a", ACCOUNT, "--json")

    assert half.code == DOWN, half
    assert refused.code == PEOPLE, refused
    assert [problem["code"] for problem in refused.problems] == ["needs-reconcile"]
    assert after.code == DONE, after
    assert shop.shelf == FILLED
