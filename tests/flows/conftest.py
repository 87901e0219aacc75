"""Homes with a small catalogue, a Prefect API for flows in this process, and one `caybeo up` for slow tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.instance import Instance, running, stock


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    """A temporary Prefect server: seconds once, and without heartbeat threads, which cost a second per flow."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness  # the whole server: for the one worker that needs it

    quick = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with prefect_test_harness(server_startup_timeout=180), temporary_settings(quick):
        yield


@pytest.fixture(scope="session")
def stocked(tmp_path_factory) -> Path:
    """A home whose catalogue holds a few of the shipped products; nothing is listed yet."""
    home = tmp_path_factory.mktemp("stocked")
    return stock(home)


@pytest.fixture
def home(stocked, tmp_path, monkeypatch) -> Path:
    """A fresh copy of it, as this process's home."""
    place = tmp_path / "home"
    shutil.copytree(stocked, place)
    monkeypatch.setenv("CAYBEO_HOME", str(place))
    return place


@pytest.fixture(scope="session")
def instance(tmp_path_factory) -> Iterator[Instance]:
    """One `caybeo up` for all slow tests."""
    with running(stock(tmp_path_factory.mktemp("instance"))) as started:
        yield started
