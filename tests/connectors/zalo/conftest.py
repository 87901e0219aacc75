"""One fixture: a fresh OA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.zalo.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    for session in made.sessions:
        session.close()
    made.sandbox.state.close()
