"""Databases at this version's schema: each of SQLite a copy of one file, which is migrated once in a process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from models.database import open_database, sqlite_file
from models.migrations import ensure


def opened(url: str) -> Engine:
    file = sqlite_file(url)
    if file is not None and not file.exists():
        shutil.copyfile(_migrated(), file)
    engine = open_database(url)
    ensure(engine)
    return engine


@cache
def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="caybeo-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = open_database(f"sqlite:///{folder / 'migrated.sqlite'}")
    ensure(engine)
    engine.dispose()
    return folder / "migrated.sqlite"
