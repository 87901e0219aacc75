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
    calls: Counter[str] = Counter()
    for one, times in met.items():
        if one.kind == "code":
            codes[one.name] += times
        else:
            calls[one.operation] += times
    told = ("new-code", NEW_CODE, codes), ("other-shape", OTHER_SHAPE, calls)
    next_step = TELL.fill(account=account)
    return [_line(code, said.fill(names=named(names)), next_step) for code, said, names in told if names]


def named(times: Mapping[str, int]) -> str:
    """E-77 (3), E-78 (1)."""
    return ", ".join(f"{name} ({many})" for name, many in sorted(times.items()))


def _key(one: Any) -> tuple[str, str, str]:
    return one.operation, one.kind, one.name


def _fields(one: Oddity) -> dict[str, Any]:
    return {"operation": one.operation, "kind": one.kind, "name": one.name, "sample": one.sample}


def _line(code: str, message: Text, next_step: Text) -> dict[str, Any]:
    return {"key": "", "field": "", "code": code, "message": message, "next_step": next_step}


NEW_CODE = Text(
    "Sàn trả lời bằng mã lỗi mà hệ thống chưa biết: {names}. Không mã nào được tính là thành công.",
    "The marketplace answered with error codes that are not known yet: {names}. None of them counts as a success.",
)
OTHER_SHAPE = Text(
    "Sàn trả lời khác với tài liệu ở các lệnh: {names}. Không câu trả lời nào được tính là thành công.",
    "The marketplace's answers to these calls are not what its documents describe: {names}. None counts as a success.",
)
TELL = Text(
    "Gửi cho người phụ trách kỹ thuật kết quả của “caybeo oddities --account {account} --json” (dữ liệu đã được che).",
    "Send your engineer what “caybeo oddities --account {account} --json” says (it is redacted).",
)
