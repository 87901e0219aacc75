"""A home with an empty database, and a clock that stands still: taking records in never waits."""

from datetime import UTC, datetime

import pytest

from tests.databases import opened


class Clock:
    def __init__(self):
        self.at = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def now(self):
        return self.at

    def monotonic(self):
        return 0.0

    def sleep(self, seconds):
        raise AssertionError("an intake never waits")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def database(home):
    engine = opened(f"sqlite:///{home / 'caybeo.db'}")
    yield engine
    engine.dispose()
