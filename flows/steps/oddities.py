"""What marketplaces said that our connectors do not know: kept for a while, and told to the operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from connectors.oddities import Oddity
from models.database import upsert
from models.tables import OddityRow, core
from models.text import Text

ODDITY = core(OddityRow)
KEPT = timedelta(days=30)  # after the last time
MOST = 50  # of one account: whoever makes up a code for each answer fills no database


def keep_oddities(db: Connection, account: str, met: Mapping[Oddity, int], now: datetime) -> None:
    """Adds to the counts; what has not been met for long is forgotten, and makes room."""
    mine = ODDITY.c.account == account
    db.execute(delete(ODDITY).where(mine, ODDITY.c.last_at < now - KEPT))
    known = {_key(row): row for row in db.execute(select(ODDITY).where(mine))}
    new = [one for one in met if _key(one) not in known][: MOST - len(known)]
    again = [one for one in met if _key(one) in known]
    rows = [
        {
            "account": account,
            **_fields(one),
            "times": met[one] + (known[_key(one)].times if _key(one) in known else 0),
            "first_at": known[_key(one)].first_at if _key(one) in known else now,
            "last_at": now,
        }
        for one in (*again, *new)
    ]
    upsert(db, ODDITY, rows, ["account", "operation", "kind", "name"])


def told_oddities(account: str, met: Mapping[Oddity, int]) -> list[dict[str, Any]]:
    """The lines of a run's report about those that it met."""
    codes: Counter[str] = Counter()
    for one, times in met.items():
        codes[one.name] += times
    return [_line("new-code", NEW_CODE.fill(codes=named(codes)), TELL.fill(account=account))] if codes else []


def named(times: Mapping[str, int]) -> str:
    """E-77 (3), E-78 (1)."""
    return ", ".join(f"{name} ({many})" for name, many in sorted(times.items()))


def _key(one: Any) -> tuple[str, str, str]:
    return one.operation, one.kind, one.name


def _fields(one: Oddity) -> dict[str, Any]:
    return {"operation": one.operation, "kind": one.kind, "name": one.name}


def _line(code: str, message: Text, next_step: Text) -> dict[str, Any]:
    return {"key": "", "field": "", "code": code, "message": message, "next_step": next_step}


NEW_CODE = Text(
    "Sàn trả lời bằng mã lỗi mà hệ thống chưa biết: {codes}. Không mã nào được tính là thành công.",
    "The marketplace answered with error codes that are not known yet: {codes}. None of them counts as a success.",
)
TELL = Text(
    "Gửi cho người phụ trách kỹ thuật kết quả của “caybeo oddities --account {account} --json”.",
    "Send your engineer what “caybeo oddities --account {account} --json” says.",
)
