"""Alembic migrations, from the first table on."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from models.database import DatabaseNewer, writing


def upgrade(engine: Engine) -> None:
    """Brings the schema to this version; a no-op where it is there already."""
    from alembic import command  # heavy, and needed only when the schema is behind
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with writing(engine, "migrate") as db:
        config.attributes["connection"] = db
        command.upgrade(config, "head")


def version(engine: Engine) -> str | None:
    """The revision the database is at; None for an empty one."""
    from sqlalchemy import inspect

    with engine.connect() as db:
        if not inspect(db).has_table("alembic_version"):
            return None
        return db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


HEAD = "0003"  # tests/models/test_migrations.py compares it with the newest file


def ensure(engine: Engine) -> None:
    """Upgrades only where needed: looking costs 1 ms, importing Alembic 300. Raises DatabaseNewer."""
    found = version(engine)
    if found is not None and found > HEAD:
        raise DatabaseNewer(f"{found} > {HEAD}", str(engine.url.database or ""))
    if found != HEAD:
        upgrade(engine)
