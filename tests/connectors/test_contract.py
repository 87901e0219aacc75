"""What the engine counts on, of every connector there is: limits that make sense, and no success by mistake."""

from __future__ import annotations

import random
from dataclasses import fields
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import get_args

import httpx
import pytest
from pydantic import SecretStr

import connectors
from connectors.contract import Capabilities, Client, Connector, Limits, Mode, Safety
from connectors.errors import ConnectorError, Refused, Unanswered
from connectors.registry import connector, names
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import Session
from flows.steps.project import project
from models.catalogue import Image
from models.change import Change, Kind
from models.listing import FACETS, Listing, facet_hash
from models.outcome import Outcome
from tests.connectors.stall import NoMedia, Pieces
from tests.scenarios.world import PICTURE, TODAY, HandClock, shrimp, trial_policy

FOLDER = Path(connectors.__file__).parent
LABEL = Image(sha256=sha256(PICTURE).hexdigest(), media_type="image/png", width=800, height=800, size=len(PICTURE))


@pytest.fixture(params=names())
def found(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


class Shelf(NoMedia):
    def read(self, sha256: str) -> bytes:
        return PICTURE


class Wire(httpx.BaseTransport):
    """The sandbox; once `rubbish` is set it does as asked and answers with that."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.rubbish: tuple[int, bytes] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if self.rubbish is None:
            return answer
        status, body = self.rubbish
        return httpx.Response(status, headers={"Content-Type": "application/json"}, stream=Pieces([body]))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def wire(found: Connector, clock: HandClock) -> Wire:
    return Wire(Sandbox(found.simulator_class(), clock=clock, seed=1))


@pytest.fixture
def account(found: Connector, wire: Wire, clock: HandClock) -> Session:
    """Signed in already, on the simulator."""
    made = Session(
        found,
        f"https://sandbox.invalid/{found.name}",
        found.credentials(**found.simulator_class().credentials),
        policy=trial_policy(found),
        clock=clock,
        media=Shelf(),
        rng=random.Random(7),
        transport=wire,
    )
    found.client(made).check()
    return made


def _listing(found: Connector) -> Listing:
    listing = project(shrimp(1, LABEL), "TK001", trial_policy(found), found.project, date(2026, 11, 23)).listing
    assert isinstance(listing, Listing)
    return listing


def _change(found: Connector) -> Change:
    return Change(key="TK001", kind=Kind.CREATE, facets=FACETS, listing=_listing(found).facets, token="t1")


def _outcomes(client: Client, change: Change) -> set[Outcome]:
    """What the engine makes of a push: a failed call counts for every change in it."""
    try:
        return {result.outcome for result in client.push([change])}
    except ConnectorError as error:
        return {{Unanswered: Outcome.UNKNOWN, Refused: Outcome.REJECTED}.get(type(error), Outcome.DEFERRED)}


# --- what is declared -------------------------------------------------------------------------------------------------


def test_limits_are_ones_the_engine_can_keep(found: Connector) -> None:
    limits = found.limits

    assert min(limits.batch_size, limits.in_flight, limits.fetch_size) >= 1
    assert limits.rates, "an account without any rate would send as fast as it can"
    assert all(rate.permits >= 1 and rate.seconds > 0 for rate in limits.rates)
    assert 0 < limits.request_seconds <= 60
    assert limits.poll_after >= 0
    assert limits.settle_after >= 0


def test_names_are_from_the_contracts_own_words(found: Connector) -> None:
    assert found.safety in get_args(Safety)
    assert found.live_mode in found.modes
    assert set(found.modes) <= set(get_args(Mode))
    assert found.capabilities.ocop_badge in ("field", "category", "text", "none")
    assert found.mapping_version >= 1


def test_an_account_that_starts_asleep_says_why(found: Connector) -> None:
    assert found.live_mode == "api" or found.live_note


def test_a_published_address_is_https(found: Connector) -> None:
    assert found.base_url == "" or found.base_url.startswith("https://")


def test_secrets_are_of_a_type_that_hides_them(found: Connector) -> None:
    """X02: a traceback prints the model."""
    credentials = found.credentials(**found.simulator_class().credentials)
    secret = [v.get_secret_value() for _, v in credentials if isinstance(v, SecretStr)]

    assert secret
    assert not any(value in repr(credentials) + str(credentials) for value in secret)


def test_the_simulator_is_of_the_same_name(found: Connector) -> None:
    simulator = found.simulator_class()

    assert simulator.name == found.name
    assert simulator.quota[0] >= 1


@pytest.mark.parametrize("file", ["auth.py", "mapping.py", "client.py", "errors.py", "simulator.py", "README.md"])
def test_a_folder_holds_the_same_files_as_the_others(found: Connector, file) -> None:
    assert (FOLDER / found.name / file).is_file()


def test_a_connector_has_tests_of_its_own(found: Connector) -> None:
    assert list((Path(__file__).parent / found.name).glob("test_*.py"))


def test_nothing_is_promised_that_was_not_declared() -> None:
    """What a new connector forgets to declare must be what the planner does not use."""
    assert not any(
        getattr(Capabilities(), f.name) for f in fields(Capabilities) if f.name in ("poll", "images", "file")
    )
    assert Limits(batch_size=1, in_flight=1, rates=()).request_seconds <= 60


# --- what it does -----------------------------------------------------------------------------------------------------


def test_a_listing_has_every_facet_and_the_same_one_each_time(found: Connector) -> None:
    first, second = _listing(found), _listing(found)

    assert set(first.facets) == set(FACETS)
    assert {f: facet_hash(v) for f, v in first.facets.items()} == {f: facet_hash(v) for f, v in second.facets.items()}


def test_a_push_answers_once_for_each_change_by_our_key(found: Connector, account: Session) -> None:
    results = found.client(account).push([_change(found)])

    assert [result.key for result in results] == ["TK001"]
    assert results[0].outcome in (Outcome.ACKNOWLEDGED, Outcome.ACCEPTED)


def test_what_was_pushed_is_read_back_as_it_was_meant(found: Connector, account: Session, clock: HandClock) -> None:
    client = found.client(account)
    results = client.push([_change(found)])
    for _ in range(20):
        pending = [r for r in results if r.outcome is Outcome.ACCEPTED]
        if not pending:
            break
        clock.sleep(max(1.0, found.limits.poll_after))
        results = client.poll(pending)
    clock.sleep(found.limits.settle_after)

    (remote,) = client.fetch(["TK001", "nobody's"])

    assert results[0].outcome is Outcome.ACKNOWLEDGED
    assert (remote.key, remote.status) == ("TK001", "live")
    assert {f: facet_hash(v) for f, v in remote.facets.items()} == {
        f: facet_hash(v) for f, v in _listing(found).facets.items()
    }


RUBBISH = {
    "empty": (200, b""),
    "null": (200, b"null"),
    "empty-list": (200, b"[]"),
    "empty-document": (200, b"{}"),
    "text": (200, b'"OK"'),
    "true": (200, b"true"),
    "number": (200, b"9" * 6_000),
    "html": (200, b"<html>Xin ch\xc3\xa0o</html>"),
    "invalid-utf8": (200, b'{"data":"\xff"}'),
    "deep": (200, b"[" * 50_000 + b"]" * 50_000),
    "nan": (200, b'{"status":200,"error":false,"message":"","data":NaN}'),
    "other-document": (200, b'{"success":true,"code":0,"status":200,"data":{}}'),
    "no-content": (204, b""),
    "teapot": (418, b"{}"),
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_N11_rubbish_is_never_a_success(found: Connector, account: Session, wire: Wire, rubbish) -> None:
    """A doubt that is looked up costs one read; a success that was none is a listing nobody sees."""
    client, change = found.client(account), _change(found)
    wire.rubbish = rubbish

    refused = {Outcome.REJECTED} if rubbish[0] >= httpx.codes.BAD_REQUEST else set()
    assert _outcomes(client, change) <= {Outcome.UNKNOWN, Outcome.DEFERRED} | refused


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_M21_rubbish_is_never_an_empty_shop(found: Connector, account: Session, wire: Wire, rubbish) -> None:
    """What is taken for absent is made again, or taken for deleted."""
    client = found.client(account)
    wire.rubbish = rubbish

    with pytest.raises(ConnectorError):
        client.fetch(["TK001"])
    with pytest.raises(ConnectorError):
        list(client.everything())
    with pytest.raises(ConnectorError):
        client.check()


def test_todays_listings_are_judged_on_the_day_of_these_tests() -> None:
    """The catalogue of these tests holds its star until 2028; a later TODAY would change every listing."""
    assert shrimp(1, LABEL).certificate_on(TODAY.date()) is not None
