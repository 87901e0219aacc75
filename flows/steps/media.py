"""Pictures of the home, and what a marketplace calls them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, bindparam, select

from models.database import upsert
from models.tables import RemoteMedia, core

MEDIA = core(RemoteMedia)
KNOWN = select(MEDIA.c.sha256, MEDIA.c.remote_id).where(MEDIA.c.account == bindparam("of"))


class MediaShelf:
    """Pictures of the home by content hash, and the ids one account's marketplace gave them."""

    def __init__(self, folder: Path, known: dict[str, str]) -> None:
        self._folder, self._known = folder, known
        self._learned: dict[str, str] = {}

    def read(self, sha256: str) -> bytes:
        return (self._folder / f"{sha256}.png").read_bytes()

    def remote_id(self, sha256: str) -> str | None:
        return self._known.get(sha256) or None

    def remember(self, sha256: str, remote_id: str) -> None:
        self._known[sha256] = self._learned[sha256] = remote_id

    def take_learned(self) -> dict[str, str]:
        """What came to be known since the last call; the caller writes it down."""
        learned, self._learned = self._learned, {}
        return learned


def known_media(db: Connection, account: str) -> dict[str, str]:
    return {row.sha256: row.remote_id for row in db.execute(KNOWN, {"of": account})}


def keep_media(db: Connection, account: str, learned: dict[str, str]) -> None:
    """Remote picture ids, so that no picture travels twice."""
    rows = [{"account": account, "sha256": sha, "remote_id": rid} for sha, rid in learned.items()]
    upsert(db, MEDIA, rows, ["account", "sha256"])
