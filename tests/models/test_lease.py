"""One writer per account: whoever holds the lease may write, and nobody else."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from sqlalchemy import Engine, event, select, update

from models.database import reading, writing
from models.lease import LEASE, MARGIN, Busy, HeldLease, LeaseLost, gone, holder
from tests.scenarios.world import HandClock

SECONDS = 60.0


@pytest.fixture
def take(database: Engine, clock: HandClock):
    return lambda account="voso": HeldLease(database, account, SECONDS, clock)


def test_a_second_run_is_told_who_holds_the_account_and_until_when(take, clock: HandClock) -> None:
    take()

    with pytest.raises(Busy) as refused:
        take()

    assert refused.value.account == "voso"
    assert refused.value.holder == holder()
    assert (refused.value.until - clock.now()).total_seconds() == SECONDS


def test_accounts_do_not_stand_in_each_others_way(take) -> None:
    take("voso")

    assert take("postmart").token == 1


def test_a_released_account_is_free_at_once(take) -> None:
    first = take()

    first.release()

    assert take().token == first.token + 1


def test_an_expired_lease_is_taken_over(take, clock: HandClock) -> None:
    first = take()
    clock.advance(seconds=SECONDS + 1)

    second = take()

    assert second.token == first.token + 1


def test_the_last_second_still_belongs_to_the_holder(take, clock: HandClock) -> None:
    take()
    clock.advance(seconds=SECONDS - 1)

    with pytest.raises(Busy):
        take()


def test_the_lease_of_a_dead_process_of_this_machine_is_taken_over(take, database: Engine) -> None:
    take()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    _held_by(database, f"{socket.gethostname()}/{dead.pid}")

    assert take().token == 2


def test_a_process_of_another_machine_is_believed_alive(take, database: Engine) -> None:
    """Its number says nothing about the processes here."""
    take()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    _held_by(database, f"another-machine/{dead.pid}")

    with pytest.raises(Busy):
        take()


@pytest.mark.parametrize("name", ["", "no-slash", f"{socket.gethostname()}/none", f"{socket.gethostname()}/1"])
def test_only_a_process_that_surely_ended_is_gone(name) -> None:
    assert not gone(name)


def test_it_is_renewed_once_a_third_is_over(take, clock: HandClock) -> None:
    lease = take()
    clock.advance(seconds=SECONDS / 3 - 1)
    lease.renew_if_due()
    assert lease.left() == pytest.approx(SECONDS * 2 / 3 + 1)

    clock.advance(seconds=1)
    lease.renew_if_due()

    assert lease.left() == SECONDS


def test_a_renewed_lease_keeps_others_out_beyond_the_first_end(take, clock: HandClock) -> None:
    lease = take()
    clock.advance(seconds=SECONDS / 2)
    lease.renew_if_due()
    clock.advance(seconds=SECONDS / 2 + 5)

    with pytest.raises(Busy):
        take()


def test_expiry_counts_from_before_the_database_answered(database: Engine, clock: HandClock) -> None:
    """A slow commit must not make the lease look longer than others see it."""
    event.listen(database, "commit", lambda _: clock.advance(seconds=5))

    lease = HeldLease(database, "voso", SECONDS, clock)
    assert lease.left() == SECONDS - 5
    clock.advance(seconds=SECONDS / 3)
    lease.renew_if_due()

    assert lease.left() == SECONDS - 5


def test_P16_every_writing_transaction_refuses_an_old_token(take, database: Engine, clock: HandClock) -> None:
    old = take()
    clock.advance(seconds=SECONDS + 1)
    new = take()

    with pytest.raises(LeaseLost), writing(database) as db:
        old.fence(db)

    with writing(database) as db:
        new.fence(db)


def test_who_lost_it_cannot_renew_it(take, clock: HandClock) -> None:
    old = take()
    clock.advance(seconds=SECONDS + 1)
    take()

    with pytest.raises(LeaseLost):
        old.renew_if_due()


def test_who_lost_it_cannot_release_the_new_holders(take, clock: HandClock) -> None:
    old = take()
    clock.advance(seconds=SECONDS + 1)
    take()

    old.release()

    with pytest.raises(Busy):
        take()


def test_right_before_a_request_enough_time_must_be_left(take, clock: HandClock) -> None:
    lease = take()
    clock.advance(seconds=SECONDS - 20 - MARGIN)

    lease.check(20)
    clock.advance(seconds=0.1)

    with pytest.raises(LeaseLost):
        lease.check(20)


def test_the_token_only_ever_grows(take, database: Engine, clock: HandClock) -> None:
    tokens = []
    for _ in range(3):
        lease = take()
        tokens.append(lease.token)
        lease.release()
    take()
    clock.advance(seconds=SECONDS + 1)
    tokens.append(take().token)

    assert tokens == sorted(set(tokens))
    with reading(database) as db:
        assert db.execute(select(LEASE.c.token)).scalar_one() == tokens[-1]


def _held_by(database: Engine, name: str) -> None:
    with writing(database) as db:
        db.execute(update(LEASE).values(holder=name))
