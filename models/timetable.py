"""Which listings are due and when: every cause of work writes `listing_state.due_at`, and runs read nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, case, literal, null, select, update

from models.database import chunks
from models.tables import AccountRow, ListingState, ProductRow, VariantRow, core

STATE = core(ListingState)
PRODUCT = core(ProductRow)
VARIANT = core(VariantRow)
ACCOUNT = core(AccountRow)
BOUND = 500  # names in one IN list: SQLite's smallest limit is 999 values
ASKED_FOR = case((STATE.c.status == "gone", "absent"), else_=STATE.c.status)  # deleted there, and wanted back by name
DUE = update(STATE).values(
    due_at=bindparam("due", type_=STATE.c.due_at.type), due_reason=bindparam("why", type_=STATE.c.due_reason.type)
)
DUE_PRODUCTS = DUE.where(STATE.c.product_id.in_(bindparam("these", expanding=True)))
DUE_SKUS = DUE.where(STATE.c.sku.in_(bindparam("these", expanding=True)))


def enrol(db: Connection, now: datetime) -> int:
    """One row for every (account, SKU) that has none yet, due now: after an intake or a new account."""
    options = {"preserve_rowcount": True}  # psycopg's is -1 without it
    return db.execute(_enrolling(), {"now": now}, execution_options=options).rowcount


@cache
def _enrolling() -> Insert:
    pairs = (
        select(ACCOUNT.c.name, VARIANT.c.sku, VARIANT.c.product_id)
        .select_from(ACCOUNT.join(VARIANT, literal(value=True)))
        .outerjoin(STATE, (STATE.c.account == ACCOUNT.c.name) & (STATE.c.sku == VARIANT.c.sku))
        .where(STATE.c.id.is_(None))
    )
    fixed = {
        "status": "absent",
        "remote_id": "",
        "revision": "",
        "due_reason": "changed",
        "attempts": 0,
        "note": "",
        "outcome": "",
        "doubt": False,
    }
    columns = ["account", "sku", "product_id", *fixed, "baseline", "adopted", "healed", "problems", "due_at"]
    values = [
        *(literal(v) for v in fixed.values()),
        *(literal({}, STATE.c[name].type) for name in ("baseline", "adopted", "healed")),
        literal([], STATE.c.problems.type),
        bindparam("now", type_=STATE.c.due_at.type),
    ]
    return STATE.insert().from_select(columns, pairs.add_columns(*values))


def due_products(db: Connection, product_ids: Iterable[str], now: datetime, reason: str = "changed") -> None:
    """Everything shown of these products is looked at by the next run of each account."""
    for some in chunks(sorted(set(product_ids)), BOUND):
        db.execute(DUE_PRODUCTS, {"these": list(some), "due": now, "why": reason})


def due_skus(db: Connection, skus: Sequence[str], now: datetime, reason: str = "changed") -> None:
    """The same for single SKUs."""
    for some in chunks(list(skus), BOUND):
        db.execute(DUE_SKUS, {"these": list(some), "due": now, "why": reason})


def due_account(db: Connection, account: str, now: datetime, reason: str) -> None:
    """Everything on one account."""
    db.execute(update(STATE).where(STATE.c.account == account).values(due_at=now, due_reason=reason))


def rest(db: Connection, account: str) -> None:
    """Nothing is due on this account: it is dormant."""
    db.execute(update(STATE).where(STATE.c.account == account).values(due_at=null(), due_reason=null()))
