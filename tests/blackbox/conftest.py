"""One server of marketplaces and one proxy for all black-box tests; each test has a home and empty shelves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.blackbox.proxy import Proxy
from tests.blackbox.shop import DONE, Market, Shop, copied, open_shop, serving, stock


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with serving(tmp_path_factory.mktemp("market")) as market:
        yield market


@pytest.fixture(scope="session")
def line(served: Market) -> Iterator[Proxy]:
    with Proxy(served.url) as proxy:
        yield proxy


@pytest.fixture
def market(served: Market) -> Market:
    """Empty shelves, unused quotas."""
    served.empty()
    return served


@pytest.fixture
def proxy(line: Proxy) -> Iterator[Proxy]:
    """A line that does no harm yet, and remembers nothing."""
    line.log.clear()
    yield line
    line.calm()


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stock(tmp_path_factory.mktemp("stocked"))


@pytest.fixture(scope="session")
def connected(
    stocked: Path, served: Market, line: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A home with an account on that marketplace, connected as an operator connects it; made once."""
    made: dict[str, Path] = {}

    def connect(marketplace: str) -> Path:
        if marketplace not in made:
            home = made[marketplace] = copied(stocked, tmp_path_factory.mktemp(marketplace) / "home")
            credentials = served.sandbox(marketplace).marketplace.credentials
            said = open_shop(home, marketplace, f"{line.url}/{marketplace}", credentials)
            assert said.code == DONE, said
        return made[marketplace]

    return connect


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, connected: Callable[[str], Path], market: Market, proxy: Proxy, tmp_path: Path
) -> Shop:
    """A shop of the marketplace that the test names as its parameter; else one of madeincamau."""
    marketplace = getattr(request, "param", "madeincamau")
    return Shop(copied(connected(marketplace), tmp_path / "home"), marketplace, market, proxy)
