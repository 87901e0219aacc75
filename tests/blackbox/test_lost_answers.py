"""The marketplace does what it is asked and the answer never arrives: real processes, real HTTP, each safety class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.blackbox.proxy import Proxy
from tests.blackbox.shop import DONE, DOWN, FILLED, PEOPLE, PRODUCTS, Market, Shop, copied, open_shop

LOST = 3  # answers: all the creates of a first run, or all the repeats of the one batch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shop", ["madeincamau", "postmart", "voso"], indirect=True)
def test_N06_creates_whose_answers_were_lost_are_live_once_and_then_all_is_silent(shop: Shop) -> None:
    """Classes A, B and C."""
    fault = shop.proxy.add("drop", times=LOST, **shop.create)

    first = shop.sync()
    shop.proxy.calm()
    after = [shop.sync() for _ in range(shop.runs)]
    shown = shop.market.shown(shop.marketplace)
    silent = shop.sync()

    assert fault.met == LOST
    assert first.code in (DONE, PEOPLE, DOWN), first
    assert after[-1].code == DONE, after
    assert sorted((one["key"], one["status"]) for one in shown["listings"]) == FILLED
    assert shop.market.jobs(shop.marketplace) <= 1
    assert silent.code == DONE, silent
    assert shop.requests == shown["requests"]


CHONOI = '''
"""A marketplace of class D: it takes no key of ours, and finds nothing by one. Only for tests."""

from dataclasses import replace

from connectors.voso import CONNECTOR as LIKE
from connectors.voso.client import Client


class Forgetful(Client):
    def fetch(self, keys):
        return []


CONNECTOR = replace(LIKE, name="chonoi", title="Chợ nổi", safety="D", client=Forgetful, live_note=None)
'''


@pytest.fixture
def chonoi(stocked: Path, market: Market, proxy: Proxy, tmp_path: Path) -> Shop:
    """A home with an account of a foreign package's connector, which speaks voso's wire but has class D."""
    home, package = copied(stocked, tmp_path / "home"), tmp_path / "package"
    (package / "chonoi-1.dist-info").mkdir(parents=True)
    (package / "chonoi.py").write_text(CHONOI, encoding="utf-8")
    (package / "chonoi-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: chonoi\nVersion: 1\n")
    points = "[caybeo.connectors]\nchonoi = chonoi:CONNECTOR\n"
    (package / "chonoi-1.dist-info" / "entry_points.txt").write_text(points)
    env = {"PYTHONPATH": str(package), "CAYBEO_CONNECTORS": "chonoi"}
    credentials = market.sandbox("voso").marketplace.credentials
    said = open_shop(home, "chonoi", f"{proxy.url}/voso", credentials, **env)
    assert said.code == DONE, said
    return Shop(home, "voso", market, proxy, env)


def test_N06_class_D_never_repeats_a_lost_create_and_asks_a_person(chonoi: Shop) -> None:
    chonoi.proxy.add("drop", **chonoi.create)

    first = chonoi.sync()
    again = chonoi.night()
    created = [one for one in chonoi.proxy.log if one.path.endswith("/product/create")]
    asked = chonoi.run("quarantine", "--json").json["quarantine"]
    told = chonoi.run("quarantine")
    status = chonoi.run("status", "--json").json["accounts"]

    assert (first.code, again.code) == (PEOPLE, PEOPLE), (first, again)
    assert len(created) == len(PRODUCTS)
    (waiting,) = asked
    assert waiting["outcome"] == "quarantined"
    assert waiting["problems"][0]["next_step"]
    assert "caybeo sync --sku" in told.out
    (mine,) = [one for one in status if one["account"] == "gian-hang"]
    assert mine["quarantined"] == 1, mine
    assert len(chonoi.shelf) == len(PRODUCTS)  # the lost one is there as a draft, and only once
