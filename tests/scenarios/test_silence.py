"""A marketplace that does not answer for hours, and a run whose time is over: told once, left alone, caught up."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import select

from connectors.breaker import IN_A_ROW
from connectors.contract import Policy, Rate
from flows.steps.account import ACCOUNT
from flows.steps.context import Account
from models.quota import QUOTA
from models.report import DONE, DOWN
from tests.scenarios.world import World, part, priced


def silence(world: World, market: str) -> list[str]:
    """From now on nobody answers there; gives the requests that are tried all the same."""
    tried: list[str] = []

    def before(request: httpx.Request) -> None:
        tried.append(request.url.path)
        raise httpx.ConnectError("refused", request=request)

    world.wires[market].before = before
    return tried


def down_since(world: World, market: str) -> object:
    with world.database.connect() as db:
        return db.execute(select(ACCOUNT.c.down_since).where(ACCOUNT.c.name == market)).scalar_one()


def test_M23_hours_of_maintenance_cost_one_request_a_run_and_one_sentence(world: World, market: str) -> None:
    """The other marketplaces never notice; when it is over, everything is caught up."""
    products = world.shrimps(12)
    world.put(*products)
    world.night()
    world.put(*(priced(product, 260_000) for product in products))
    tried = silence(world, market)

    first = world.night()
    began, at_first = down_since(world, market), len(tried)
    later = []
    for _ in range(4):
        world.clock.advance(hours=1)
        later.append(part(world.night(), market))
    world.unhook()
    world.clock.advance(hours=1)
    last = world.night()

    assert part(first, market).code == DOWN
    assert at_first == IN_A_ROW
    assert len(tried) == at_first + len(later)
    for report in later:
        assert [(p["code"], p["message"].vi) for p in report.problems if not p["key"]] == [
            ("down", "Sàn không trả lời từ 23/11/2026 09:02; hệ thống tạm ngừng gửi.")
        ]
    assert began is not None
    assert all(a.code == DONE for a in first.accounts if a.account != market)
    assert last.exit_code == DONE, last.as_json()
    assert down_since(world, market) is None
    world.assert_in_step()


def test_a_run_whose_time_is_over_ends_with_the_rest_still_planned(lone: World, market: str) -> None:
    """One request a second, and three quarters of a minute for everything."""
    lone.policies[market] = Policy(sandbox=True)
    slow = [_paced(account, Rate(permits=1, seconds=1.0)) for account in lone.accounts()]
    lone.put(*lone.shrimps(60))
    begun = lone.clock.ticks

    report = part(lone.night(accounts=lambda: slow, run_seconds=45.0, lease_seconds=3600.0), market)

    assert lone.clock.ticks - begun <= 60 + 45
    assert report.code == DOWN
    assert {p["code"] for p in report.problems} == {"out-of-time"}
    assert [p["key"] for p in report.problems].count("") == 1
    assert {row.status for row in lone.outbox(market)} <= {"applied", "planned", "deferred", "accepted"}
    for _ in range(3):
        last = lone.night(lease_seconds=3600.0)
    assert last.exit_code == DONE, last.as_json()
    lone.assert_in_step()


@pytest.mark.parametrize("nights", [1, 3])
def test_an_idle_night_takes_no_permit(lone: World, market: str, nights: int) -> None:
    lone.put(*lone.shrimps(2))
    lone.night()
    before = lone.dump()["quota"]

    for _ in range(nights):
        assert lone.night().exit_code == DONE

    assert lone.dump()["quota"] == before
    assert before != []
    with lone.database.connect() as db:
        assert {row.account for row in db.execute(select(QUOTA.c.account))} == {market}


def _paced(account: Account, rate: Rate) -> Account:
    limits = replace(account.connector.limits, rates=(rate,))
    return replace(account, connector=replace(account.connector, limits=limits))
