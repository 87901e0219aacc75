"""The real connector against its real simulator."""

from __future__ import annotations

import httpx
import pytest

from connectors.madeincamau import CONNECTOR
from connectors.simulator import Sandbox, SandboxTransport
from tests.connectors.madeincamau.shop import BASE, JPEG, PNG, FakeClock, Pictures, open_session


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sandbox(clock):
    return Sandbox(CONNECTOR.simulator_class(), clock=clock)


@pytest.fixture
def pictures():
    return Pictures(JPEG, PNG)


@pytest.fixture
def session(sandbox, clock, pictures):
    session = open_session(SandboxTransport(sandbox), clock, pictures)
    yield session
    session.close()


@pytest.fixture
def client(session):
    return CONNECTOR.client(session)


@pytest.fixture
def partner(sandbox):
    """Another program of the same seller: plain httpx with a token of its own."""
    with httpx.Client(transport=SandboxTransport(sandbox), base_url=f"{BASE}/api/partner/v1/") as http:
        form = {"grant_type": "client_credentials", **sandbox.marketplace.credentials}
        token = http.post("oauth/token", data=form).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield http
