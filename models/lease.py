"""One writer per account: a lease with a fencing token in the database."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, select, update

from models.clock import Clock
from models.database import upsert, writing
from models.tables import Lease, core

LEASE = core(Lease)
# Asked so often that composing them each time would cost more than running them.
OURS = (LEASE.c.account == bindparam("of"), LEASE.c.token == bindparam("held"))
FENCE = update(LEASE).where(*OURS).values(token=LEASE.c.token)
RENEW = update(LEASE).where(*OURS).values(expires_at=bindparam("until", type_=LEASE.c.expires_at.type))
RELEASE = update(LEASE).where(*OURS).values(expires_at=None, holder="")
FOUND = (
    select(LEASE.c.token, LEASE.c.holder, LEASE.c.expires_at, LEASE.c.crashes)
    .where(LEASE.c.account == bindparam("of"))
    .with_for_update()
)
MARGIN = 2.0  # seconds left over after a request's own deadline
RENEWED_AT = 2 / 3  # of a lease left
JUMP = 30.0  # seconds by which the wall clock may stray from the monotonic one within a run
CRASHES = 3  # runs in a row that never gave the account back: from then on each new one waits longer
HOLD_OFF, HOLD_OFF_MOST = timedelta(minutes=1), timedelta(hours=1)


class Busy(Exception):
    """Another run holds the account."""

    def __init__(self, account: str, holder: str, until: datetime) -> None:
        super().__init__(account)
        self.account, self.holder, self.until = account, holder, until


class HoldingOff(Busy):
    """Run after run ended abruptly: the next one has to wait until then."""


class LeaseLost(Exception):
    """Another run took the account over, or our time ran out: nothing more may be written or sent."""


class ClockJumped(LeaseLost):
    """The wall clock was set during the run: when the lease ends is no longer known."""


class HeldLease:
    """A lease while it is ours. Expiry counts from before the call that set it, never from after.

    `before` is the last moment at which the holder before us may have begun a request, `overtaken` whether it may
    still be alive; `crashes` says how many holders in a row never gave the account back.
    """

    def __init__(self, database: Engine, account: str, seconds: float, clock: Clock) -> None:
        self.account, self.crashes, self.overtaken = account, 0, False
        self._database, self._seconds, self._clock = database, seconds, clock
        self._began = clock.now(), clock.monotonic()
        self.before = self._began[0]
        self.token, self._until = self._acquire()
        self._ours = {"of": account, "held": self.token}

    def left(self) -> float:
        """Seconds during which the account is surely ours."""
        return self._until - self._clock.monotonic()

    def due_in(self) -> float:
        """Seconds after which it is to be renewed."""
        return max(0.0, self.left() - self._seconds * RENEWED_AT)

    def check(self, needed: float) -> None:
        """Right before a request: raises LeaseLost unless it can end within our time."""
        self._watch_clock()
        if self.left() < needed + MARGIN:
            raise LeaseLost(self.account)

    def renew_if_due(self) -> None:
        """Renews once a third of the time is gone."""
        self._watch_clock()
        if self.due_in() > 0:
            return
        before, now = self._clock.monotonic(), self._clock.now()
        with writing(self._database, "lease-renew") as db:
            self.fence(db)
            db.execute(RENEW, {**self._ours, "until": self._end(now)})
        self._until = before + self._seconds

    def fence(self, db: Connection) -> None:
        """In every writing transaction: raises LeaseLost where a newer token exists."""
        if db.execute(FENCE, self._ours).rowcount != 1:
            raise LeaseLost(self.account)

    def release(self) -> None:
        with writing(self._database, "lease-release") as db:
            db.execute(RELEASE, self._ours)

    def _acquire(self) -> tuple[int, float]:
        before, now = self._clock.monotonic(), self._clock.now()
        with writing(self._database, "lease-acquire") as db:
            row = db.execute(FOUND, {"of": self.account}).first()
            if row and row.expires_at:
                self._take_over(row, now)
            token = (row.token if row else 0) + 1
            mine = {"account": self.account, "token": token, "holder": holder(), "expires_at": self._end(now)}
            upsert(db, LEASE, [mine | {"crashes": self.crashes}], ["account"])
        return token, before + self._seconds

    def _take_over(self, row: Row[Any], now: datetime) -> None:
        """Of a holder that never gave the account back; a dead process of this machine need not be waited for."""
        dead = gone(row.holder)
        if row.expires_at > now and not dead:
            raise Busy(self.account, row.holder, row.expires_at)
        self.crashes = row.crashes + 1
        free = row.expires_at + min(HOLD_OFF * 2 ** min(row.crashes - CRASHES, 10), HOLD_OFF_MOST)
        if row.crashes >= CRASHES and now < free:
            raise HoldingOff(self.account, row.holder, free)
        self.before = min(row.expires_at, now) if dead else row.expires_at
        self.overtaken = not dead

    def _watch_clock(self) -> None:
        wall, monotonic = self._began
        if abs((self._clock.now() - wall).total_seconds() - (self._clock.monotonic() - monotonic)) > JUMP:
            raise ClockJumped(self.account)

    def _end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._seconds)


def shortest(request_seconds: float) -> float:
    """Seconds of a lease under which a request may leave at any time, also right before a renewal."""
    return (request_seconds + MARGIN) / RENEWED_AT


def holder() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


def gone(name: str) -> bool:
    """Whether the holder was a process of this machine that has ended: nobody need wait for its lease then."""
    host, _, pid = name.rpartition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
