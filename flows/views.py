"""Questions people ask of the records: what is live, why, what happened. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, func, select

from flows.steps.context import Account
from flows.steps.oddities import ODDITY
from flows.steps.plan import FAILED
from flows.steps.project import project
from flows.steps.report import held_plans, pending
from models.clock import Clock, today
from models.database import reading
from models.lease import LEASE
from models.ledger import LEDGER, OUTBOX
from models.listing import Problem, Unlistable
from models.records import product_of
from models.tables import Provenance, Run, SourceRow, core
from models.timetable import ACCOUNT, PRODUCT, STATE, VARIANT

RUN, SOURCE, PROVENANCE = core(Run), core(SourceRow), core(Provenance)


def status(database: Engine, accounts: list[Account], clock: Clock) -> dict[str, Any]:
    """Per account what it shows and waits for, its next due instant and lease; then held plans, sources, last run."""
    with reading(database) as db:
        last = db.execute(select(RUN).order_by(RUN.c.started_at.desc()).limit(1)).one_or_none()
        return {
            "accounts": [_account(db, account, clock) for account in accounts],
            "held_plans": held_plans(db),
            "sources": [dict(row._mapping) for row in db.execute(select(SOURCE).order_by(SOURCE.c.registered_at))],
            "last_run": dict(last._mapping) if last else None,
        }


def _account(db: Connection, account: Account, clock: Clock) -> dict[str, Any]:
    mine = STATE.c.account == account.name
    query = select(STATE.c.outcome, STATE.c.status, func.count().label("many")).where(mine)
    rows = db.execute(query.group_by(STATE.c.outcome, STATE.c.status)).fetchall()
    outcome = {name: sum(r.many for r in rows if r.outcome == name) for name in {r.outcome for r in rows}}
    lease = db.execute(select(LEASE).where(LEASE.c.account == account.name)).one_or_none()
    held = lease is not None and lease.expires_at is not None and lease.expires_at > clock.now()
    return {
        "account": account.name,
        "marketplace": account.connector.name,
        "mode": account.shown_mode,
        "live": sum(r.many for r in rows if r.status == "live"),
        "pending": pending(db, account.name),
        "unlistable": outcome.get("unlistable", 0),
        "held": outcome.get("held", 0),
        "quarantined": outcome.get("quarantined", 0),
        "rejected": outcome.get("rejected", 0),
        "deferred": outcome.get("deferred", 0),
        "unknown": outcome.get("unknown", 0),
        "next_due": db.execute(select(func.min(STATE.c.due_at)).where(mine)).scalar_one(),
        "oddities": _oddities(db, account.name),
        "lease_holder": lease.holder if held and lease else None,
        "lease_until": lease.expires_at if held and lease else None,
    }


def oddities(database: Engine, account: str = "") -> list[dict[str, Any]]:
    """What marketplaces said that our connectors do not know, the most frequent first."""
    query = select(ODDITY).order_by(ODDITY.c.account, ODDITY.c.times.desc(), ODDITY.c.name)
    with reading(database) as db:
        rows = db.execute(query.where(ODDITY.c.account == account) if account else query)
        return [dict(row._mapping) for row in rows]


def _oddities(db: Connection, account: str) -> dict[str, dict[str, int]]:
    """Kind -> name -> how often."""
    total = func.sum(ODDITY.c.times).label("many")
    query = select(ODDITY.c.kind, ODDITY.c.name, total).where(ODDITY.c.account == account)
    found: dict[str, dict[str, int]] = {}
    for row in db.execute(query.group_by(ODDITY.c.kind, ODDITY.c.name).order_by(ODDITY.c.name)):
        found.setdefault(row.kind, {})[row.name] = int(row.many)
    return found


def timeline(database: Engine, sku: str) -> dict[str, Any] | None:
    """Everything that happened to one SKU, oldest first; None for a SKU nobody knows."""
    with reading(database) as db:
        found = db.execute(
            select(VARIANT.c.product_id, PRODUCT.c.name).join(PRODUCT).where(VARIANT.c.sku == sku)
        ).one_or_none()
        if found is None:
            return None
        events = [*_ledger_events(db, {sku, found.product_id}), *_outbox_events(db, sku)]
        return {
            "sku": sku,
            "product": found.name,
            "values": _origins(db, sku, found.product_id),
            "accounts": [dict(r._mapping) for r in db.execute(_shown(sku))],
            "events": sorted(events, key=lambda e: e["at"]),
        }


def _ledger_events(db: Connection, names: set[str]) -> list[dict[str, Any]]:
    """What is written under the SKU, and under its product."""
    rows = db.execute(select(LEDGER).where(LEDGER.c.sku.in_(names)).order_by(LEDGER.c.id))
    return [
        {
            "at": r.at,
            "account": r.account,
            "event": r.event,
            "change": r.change_id,
            "run_id": r.run_id,
            "detail": r.detail,
        }
        for r in rows
    ]


def _outbox_events(db: Connection, sku: str) -> list[dict[str, Any]]:
    """Sending, and ends that need no ledger line of their own."""
    found = []
    for row in db.execute(select(OUTBOX).where(OUTBOX.c.sku == sku).order_by(OUTBOX.c.id)):
        detail = {"kind": row.kind, "facets": row.facets, "price": row.price, "stock": row.stock}
        same = {"account": row.account, "change": row.id, "run_id": "", "detail": detail}
        if row.sent_at:
            found.append({"at": row.sent_at, "event": "sent", **same})
        if row.done_at and row.status in ("superseded", "cancelled"):
            found.append({"at": row.done_at, "event": row.status, **same})
    return found


def _origins(db: Connection, sku: str, product_id: str) -> list[dict[str, Any]]:
    """Which file and row each present value came from."""
    records = (f"variant:{sku}", f"product:{product_id}")
    query = select(PROVENANCE).where(PROVENANCE.c.record.in_(records)).order_by(PROVENANCE.c.record, PROVENANCE.c.field)
    return [dict(row._mapping) for row in db.execute(query)]


def _shown(sku: str) -> Any:
    columns = ("account", "status", "outcome", "remote_id", "price", "stock", "due_at", "due_reason", "problems")
    there = STATE.join(ACCOUNT, ACCOUNT.c.name == STATE.c.account)
    chosen = select(*(STATE.c[name] for name in columns)).select_from(there)
    return chosen.where(STATE.c.sku == sku).order_by(STATE.c.account)


def ledger(database: Engine, account: str, sku: str, most: int) -> list[dict[str, Any]]:
    """The latest lines, newest first."""
    query = select(LEDGER).order_by(LEDGER.c.id.desc()).limit(most)
    if account:
        query = query.where(LEDGER.c.account == account)
    if sku:
        query = query.where(LEDGER.c.sku == sku)
    with reading(database) as db:
        return [dict(row._mapping) for row in db.execute(query)]


def quarantine(database: Engine, account: str = "") -> list[dict[str, Any]]:
    """What did not succeed and why, with the next step."""
    columns = (STATE.c.account, STATE.c.sku, STATE.c.outcome, STATE.c.attempts, STATE.c.problems)
    query = select(*columns).where(STATE.c.outcome.in_((*FAILED, "refused"))).order_by(STATE.c.account, STATE.c.sku)
    with reading(database) as db:
        rows = db.execute(query.where(STATE.c.account == account) if account else query)
        return [dict(row._mapping) for row in rows]


def preview(database: Engine, account: Account, sku: str, clock: Clock) -> dict[str, Any] | None:
    """What would be sent for one SKU, and all that stands against it; None for a SKU nobody knows."""
    query = select(PRODUCT.c.snapshot).join(VARIANT, VARIANT.c.product_id == PRODUCT.c.product_id)
    with reading(database) as db:
        row = db.execute(query.where(VARIANT.c.sku == sku)).one_or_none()
    if row is None:
        return None
    mapping = account.connector.project
    projection = project(product_of(row.snapshot), sku, account.policy, mapping, today(clock))
    listing = projection.listing
    problems: tuple[Problem, ...] = listing.problems if isinstance(listing, Unlistable) else ()
    return {
        "sku": sku,
        "account": account.name,
        "mode": account.shown_mode,
        "listable": not isinstance(listing, Unlistable),
        "payload": {} if isinstance(listing, Unlistable) else listing.facets,
        "problems": problems,
        "notes": projection.notes,
        "judged_again_on": projection.calendar,
    }
