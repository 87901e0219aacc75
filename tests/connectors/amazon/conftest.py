"""One fixture: a fresh seller account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.amazon.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()
