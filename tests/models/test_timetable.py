"""One column says what a run looks at, and every cause of work sets it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, select

from models.database import reading, writing
from models.records import snapshot_of
from models.tables import AccountRow, ProductRow, VariantRow, core
from models.timetable import BOUND, STATE, due_account, due_products, due_skus, enrol, rest
from tests.scenarios.world import BLANK, TODAY, shrimp

LATER = TODAY + timedelta(days=1)


@pytest.fixture
def catalogue(database: Engine) -> Engine:
    """Two accounts, and two products with two SKUs each, all enrolled and resting."""
    with writing(database) as db:
        for name in ("postmart", "voso"):
            db.execute(insert(core(AccountRow)).values(**_account(name)))
        for product in ("A", "B"):
            _product(db, product, [f"{product}1", f"{product}2"])
        enrol(db, TODAY)
        for name in ("postmart", "voso"):
            rest(db, name)
    return database


def test_every_account_gets_a_row_for_every_sku(database: Engine) -> None:
    with writing(database) as db:
        for name in ("postmart", "voso"):
            db.execute(insert(core(AccountRow)).values(**_account(name)))
        _product(db, "A", ["A1", "A2"])

        made = enrol(db, TODAY)

    with reading(database) as db:
        rows = db.execute(select(STATE).order_by(STATE.c.account, STATE.c.sku)).fetchall()
    assert made == 4
    assert [(r.account, r.sku) for r in rows] == [(a, s) for a in ("postmart", "voso") for s in ("A1", "A2")]
    assert {(r.product_id, r.status, r.due_at, r.due_reason, r.attempts) for r in rows} == {
        ("A", "absent", TODAY, "changed", 0)
    }
    assert all(r.baseline == {} and r.problems == [] for r in rows)


def test_enrolling_again_touches_nothing(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        assert enrol(db, LATER) == 0

    assert _due(catalogue) == {}


def test_a_new_sku_is_enrolled_alone(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        _product(db, "C", ["C1"])

        assert enrol(db, LATER) == 2

    assert _due(catalogue) == {("postmart", "C1"): "changed", ("voso", "C1"): "changed"}


def test_a_changed_product_is_due_on_every_account(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        due_products(db, ["A", "A", "unknown"], LATER)

    assert set(_due(catalogue)) == {(a, s) for a in ("postmart", "voso") for s in ("A1", "A2")}


def test_a_sku_is_due_alone(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        due_skus(db, ["A1"], LATER, "resync")

    assert _due(catalogue) == {("postmart", "A1"): "resync", ("voso", "A1"): "resync"}


def test_an_account_is_due_whole(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        due_account(db, "voso", LATER, "mapping")

    assert _due(catalogue) == {("voso", s): "mapping" for s in ("A1", "A2", "B1", "B2")}


def test_an_account_can_be_laid_to_rest(catalogue: Engine) -> None:
    with writing(catalogue) as db:
        due_products(db, ["A", "B"], LATER)

        rest(db, "voso")

    assert {account for account, _ in _due(catalogue)} == {"postmart"}


def test_more_causes_than_one_statement_holds_are_all_noted(catalogue: Engine) -> None:
    """SQLite takes 999 values in one statement."""
    strangers = [f"X{n:05}" for n in range(3 * BOUND)]
    with writing(catalogue) as db:
        due_products(db, ["A", *strangers, "zzz"], LATER)
        due_skus(db, [*strangers, "B1"], LATER)

    assert {sku for _, sku in _due(catalogue)} == {"A1", "A2", "B1"}


def _due(engine: Engine) -> dict[tuple[str, str], str]:
    query = select(STATE.c.account, STATE.c.sku, STATE.c.due_at, STATE.c.due_reason)
    with reading(engine) as db:
        rows = db.execute(query.where(STATE.c.due_at.is_not(None))).fetchall()
    assert {row.due_at for row in rows} <= {LATER}
    return {(row.account, row.sku): row.due_reason for row in rows}


def _account(name: str) -> dict[str, object]:
    fixed = {"sandbox": True, "mode": "api", "base_url": "", "policy": {}, "seller": "", "mapping_version": 1}
    return {"name": name, "marketplace": name, **fixed, "needs_reconcile": False, "created_at": TODAY}


def _product(db, product_id: str, skus: list[str]) -> None:
    snapshot, content = snapshot_of(shrimp(1, None, images=()))
    row = {"product_id": product_id, "name": product_id, "name_key": product_id, "snapshot": snapshot}
    db.execute(insert(core(ProductRow)).values(**BLANK | row, content_hash=content, revision=1, removed_by=""))
    blank = {"position": 0, "pack": "", "gtin": "", "currency": "VND", "illustrative": False}
    rows = [{"sku": sku, "sku_key": sku.casefold(), "product_id": product_id, **blank} for sku in skus]
    db.execute(insert(core(VariantRow)), rows)
