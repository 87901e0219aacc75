"""Alembic migrations, from the first table on."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine


def upgrade(engine: Engine) -> None:
    """Brings the schema to this version; a no-op where it is there already."""
    from alembic import command  # heavy, and needed only when the schema is behind
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect().execution_options(writes=True) as db, db.begin():
        config.attributes["connection"] = db
        command.upgrade(config, "head")


def version(engine: Engine) -> str | None:
    """The revision the database is at; None for an empty one."""
    from sqlalchemy import inspect

    with engine.connect() as db:
        if not inspect(db).has_table("alembic_version"):
            return None
        return db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


HEAD = "0001"  # tests/models/test_migrations.py compares it with the newest file


def ensure(engine: Engine) -> None:
    """Upgrades only where needed: looking costs 1 ms, importing Alembic 300."""
    if version(engine) != HEAD:
        upgrade(engine)
