"""From an empty database to this version's schema, which is the one that the tables declare."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

from models import migrations
from models.migrations import HEAD, ensure, upgrade, version
from models.tables import metadata


def test_the_newest_file_is_the_head() -> None:
    files = sorted((Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))

    assert files[-1].name.split("_")[0] == HEAD


def test_an_empty_database_has_no_version(empty: Engine) -> None:
    assert version(empty) is None


def test_the_migrated_schema_is_the_declared_one(empty: Engine) -> None:
    upgrade(empty)

    with empty.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert version(empty) == HEAD


def test_indexes_cover_the_same_rows_as_declared(empty: Engine) -> None:
    """Alembic compares columns; what a partial index leaves out is compared here."""
    upgrade(empty)

    assert _partial(empty, "outbox") == {"uq_outbox_open", "ix_outbox_moves"}
    assert _partial(empty, "listing_state") == {"ix_listing_state_due"}


def test_a_current_database_is_left_alone(database: Engine) -> None:
    before = sorted(inspect(database).get_table_names())

    ensure(database)
    upgrade(database)

    assert sorted(inspect(database).get_table_names()) == before
    assert version(database) == HEAD


def test_P07_a_migration_that_breaks_off_leaves_the_old_schema(empty: Engine, monkeypatch) -> None:
    """One transaction, so the next start finds either the old schema or the new one."""
    monkeypatch.setattr(op, "create_table", _breaks_at("plan"))

    with pytest.raises(RuntimeError, match="power cut"):
        upgrade(empty)

    assert version(empty) is None
    assert set(inspect(empty).get_table_names()) <= {"alembic_version"}


def _breaks_at(table: str):
    create = op.create_table

    def broken(name: str, *columns, **options):
        if name == table:
            raise RuntimeError("power cut")
        return create(name, *columns, **options)

    return broken


def _partial(engine: Engine, table: str) -> set[str]:
    """The names of the table's partial indexes, as the database itself lists them."""
    if engine.dialect.name == "sqlite":
        query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}'"
    else:
        query = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}'"
    with engine.connect() as db:
        return {name for name, definition in db.exec_driver_sql(query) if " WHERE " in (definition or "")}
