"""One in-memory database per process, put back to a known state for each scenario."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, event

from models.catalogue import Image
from models.database import _begin_sqlite, open_database, sqlite3
from models.migrations import ensure
from tests.scenarios.world import PICTURE
from tests.simulation.schedule import Hub

# What a row that has ended, and the ledger, must never do; the harness reads `sim_violation` at the end.
TRIGGERS = """
CREATE TABLE sim_violation (text TEXT);
CREATE TRIGGER sim_outbox_update BEFORE UPDATE ON outbox WHEN OLD.done_at IS NOT NULL BEGIN
  INSERT INTO sim_violation VALUES ('a ' || OLD.status || ' change of ' || OLD.sku || ' became ' || NEW.status);
END;
CREATE TRIGGER sim_outbox_delete BEFORE DELETE ON outbox BEGIN
  INSERT INTO sim_violation VALUES ('a change of ' || OLD.sku || ' was deleted');
END;
CREATE TRIGGER sim_ledger_update BEFORE UPDATE ON ledger BEGIN
  INSERT INTO sim_violation VALUES ('a ledger line of ' || OLD.sku || ' was changed');
END;
CREATE TRIGGER sim_ledger_delete BEFORE DELETE ON ledger BEGIN
  INSERT INTO sim_violation VALUES ('a ledger line of ' || OLD.sku || ' was deleted');
END;
"""


class OpenSafe:
    """Tokens as they are: what a key would hide is tried elsewhere."""

    def close(self, values: Mapping[str, Any]) -> bytes:
        return msgspec.json.encode(values)

    def open(self, ciphertext: bytes) -> dict[str, Any]:
        return dict(msgspec.json.decode(ciphertext))


class Store:
    """The engine all scenarios share: its cache of compiled statements is worth more than all the rest."""

    def __init__(self) -> None:
        self.engine: Engine = open_database("sqlite://")
        ensure(self.engine)
        self.raw: Any = self.engine.raw_connection().driver_connection
        self.raw.executescript(TRIGGERS)
        self.raw.execute("PRAGMA synchronous=OFF")  # in memory there is nothing to wait for
        self.empty = self.copy()
        self.home = Path(tempfile.mkdtemp(prefix="caybeo-sim-"))
        atexit.register(shutil.rmtree, self.home, ignore_errors=True)
        (self.home / "media").mkdir()
        self.pictures = [self._picture(number) for number in range(3)]
        self.hub: Hub | None = None
        event.remove(self.engine, "begin", _begin_sqlite)
        event.listen(self.engine, "begin", self._begin)

    def copy(self) -> Any:
        """The database as it is now."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        self.raw.backup(kept)
        return kept

    def put_back(self, kept: Any) -> None:
        kept.backup(self.raw)

    def in_transaction(self) -> bool:
        return bool(self.raw.in_transaction)

    def _begin(self, db: Connection) -> None:
        """As models.database does it, without a cursor of SQLAlchemy's; a dead process neither reads nor writes."""
        if self.hub is not None and self.hub.current is not None:
            self.hub.current.check()
        self.raw.execute("BEGIN IMMEDIATE" if db.get_execution_options().get("writes") else "BEGIN")

    def _picture(self, number: int) -> Image:
        data = PICTURE + str(number).encode()
        digest = sha256(data).hexdigest()
        (self.home / "media" / f"{digest}.png").write_bytes(data)
        return Image(sha256=digest, media_type="image/png", width=800, height=800, size=len(data), kind="placeholder")


@cache
def store() -> Store:
    return Store()
