"""The tokens of accounts whose marketplace renews them: encrypted, and on disk before they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from cryptography.fernet import InvalidToken
from sqlalchemy import Connection, Engine, delete, select

from connectors.errors import AuthorisationFailed, NotRecorded
from connectors.tokens import TokenPair
from models.clock import Clock
from models.database import DatabaseDown, reading, upsert, writing
from models.tables import Token, core
from models.text import Text, local

TOKEN = core(Token)
WARN_DAYS = 7  # before the end of a refresh token, in every run


class Safe(Protocol):
    """Closes secrets with a key that does not lie in the database."""

    def close(self, values: Mapping[str, Any]) -> bytes: ...

    def open(self, ciphertext: bytes) -> dict[str, Any]: ...


class StoredTokens:
    """Those of one account. `fence` raises where another run holds the account by now."""

    def __init__(
        self,
        database: Engine,
        safe: Callable[[], Safe],
        clock: Clock,
        account: str,
        fence: Callable[[Connection], None],
    ) -> None:
        self._database, self._safe, self._clock, self._account, self._fence = database, safe, clock, account, fence

    def read(self) -> TokenPair | None:
        with reading(self._database) as db:
            row = db.execute(select(TOKEN.c.ciphertext).where(TOKEN.c.account == self._account)).first()
        try:
            return None if row is None else _pair(self._safe().open(row.ciphertext))
        except InvalidToken:
            raise AuthorisationFailed(
                "other-key", message=OTHER_KEY, next_step=RENEW.fill(name=self._account)
            ) from None

    def save(self, pair: TokenPair) -> None:
        closed = self._safe().close(_fields(pair))
        row = {"account": self._account, "ciphertext": closed, "refresh_ends": pair.refresh_ends}
        try:
            with writing(self._database, "tokens") as db:
                self._fence(db)
                upsert(db, TOKEN, [row | {"renewed_at": self._clock.now()}], ["account"])
        except DatabaseDown as error:
            raise NotRecorded(type(error).__name__) from None


def forget(db: Connection, *accounts: str) -> None:
    """The credentials hold the first pair again."""
    db.execute(delete(TOKEN).where(TOKEN.c.account.in_(accounts)))


def ending(db: Connection, account: str, now: datetime) -> list[dict[str, Any]]:
    """What the report says of an authorisation that ends within a week."""
    ends = db.execute(select(TOKEN.c.refresh_ends).where(TOKEN.c.account == account)).scalar()
    if ends is None or (left := (ends - now).days) >= WARN_DAYS:
        return []
    message = ENDS.fill(days=max(0, left), at=local(ends))
    return [{"key": "", "field": "", "code": "token-ends", "message": message, "next_step": RENEW.fill(name=account)}]


def _fields(pair: TokenPair) -> dict[str, Any]:
    return {
        "access": pair.access,
        "refresh": pair.refresh,
        "ends": pair.ends and pair.ends.isoformat(),
        "refresh_ends": pair.refresh_ends and pair.refresh_ends.isoformat(),
    }


def _pair(fields: dict[str, Any]) -> TokenPair:
    instants = {name: datetime.fromisoformat(at) if (at := fields[name]) else None for name in ("ends", "refresh_ends")}
    return TokenPair(access=fields["access"], refresh=fields["refresh"], **instants)


OTHER_KEY = Text(
    "Khóa của máy này không mở được mã truy cập đã lưu.", "This machine's key does not open the tokens that were kept."
)
ENDS = Text(
    "Ủy quyền của sàn còn {days} ngày (đến {at}); hết hạn thì hệ thống không gửi được nữa.",
    "The marketplace's authorisation ends in {days} days ({at}); after that nothing can be sent.",
)
RENEW = Text(
    "Chủ gian hàng ủy quyền lại trên sàn, rồi chạy “caybeo accounts add {name} …” để nhập mã mới.",
    "The shop's owner authorises the app again; then enter the new tokens with “caybeo accounts add {name} …”.",
)
