"""One writer per account: a lease with a fencing token in the database."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, select, update

from models.clock import Clock
from models.database import upsert, writing
from models.tables import Lease, core

LEASE = core(Lease)
MARGIN = 2.0  # seconds left over after a request's own deadline


class Busy(Exception):
    """Another run holds the account."""

    def __init__(self, account: str, holder: str, until: datetime) -> None:
        super().__init__(account)
        self.account, self.holder, self.until = account, holder, until


class LeaseLost(Exception):
    """Another run took the account over, or our time ran out: nothing more may be written or sent."""


class HeldLease:
    """A lease while it is ours. Expiry counts from before the call that set it, never from after."""

    def __init__(self, database: Engine, account: str, seconds: float, clock: Clock) -> None:
        self.account = account
        self._database, self._seconds, self._clock = database, seconds, clock
        self.token, self._until = self._acquire()

    def left(self) -> float:
        """Seconds during which the account is surely ours."""
        return self._until - self._clock.monotonic()

    def check(self, needed: float) -> None:
        """Right before a request: raises LeaseLost unless it can end within our time."""
        if self.left() < needed + MARGIN:
            raise LeaseLost(self.account)

    def renew_if_due(self) -> None:
        """Renews once a third of the time is gone."""
        if self.left() > self._seconds * 2 / 3:
            return
        before, now = self._clock.monotonic(), self._clock.now()
        with writing(self._database) as db:
            self.fence(db)
            db.execute(update(LEASE).where(LEASE.c.account == self.account).values(expires_at=self._end(now)))
        self._until = before + self._seconds

    def fence(self, db: Connection) -> None:
        """In every writing transaction: raises LeaseLost where a newer token exists."""
        ours = (LEASE.c.account == self.account) & (LEASE.c.token == self.token)
        if db.execute(update(LEASE).where(ours).values(token=self.token)).rowcount != 1:
            raise LeaseLost(self.account)

    def release(self) -> None:
        with writing(self._database) as db:
            ours = (LEASE.c.account == self.account) & (LEASE.c.token == self.token)
            db.execute(update(LEASE).where(ours).values(expires_at=None, holder=""))

    def _acquire(self) -> tuple[int, float]:
        before, now = self._clock.monotonic(), self._clock.now()
        with writing(self._database) as db:
            query = select(LEASE.c.token, LEASE.c.holder, LEASE.c.expires_at).where(LEASE.c.account == self.account)
            row = db.execute(query.with_for_update()).first()
            if row and row.expires_at and row.expires_at > now and not gone(row.holder):
                raise Busy(self.account, row.holder, row.expires_at)
            token = (row.token if row else 0) + 1
            mine = {"account": self.account, "token": token, "holder": holder(), "expires_at": self._end(now)}
            upsert(db, LEASE, [mine], ["account"])
        return token, before + self._seconds

    def _end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._seconds)


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
