"""Creates, changes, withdrawals, and everything that goes wrong with them."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from connectors.errors import AuthorisationFailed, Throttled, Unanswered
from connectors.simulator import Fault
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from tests.connectors.alibaba.shop import (
    BIZ,
    CREATE,
    GET,
    KEY,
    OUTCOME,
    PRICE,
    SEARCH,
    STAR,
    STOCK,
    SWITCH,
    UPDATE,
    UPLOAD,
    Shop,
    api_of,
    business,
    change,
    create,
    delist,
    english,
    gateway,
    listing,
    outcomes,
    priced,
    several,
    update,
)

ACK, ACCEPTED, REJECTED, DEFERRED, UNKNOWN = (
    Outcome.ACKNOWLEDGED,
    Outcome.ACCEPTED,
    Outcome.REJECTED,
    Outcome.DEFERRED,
    Outcome.UNKNOWN,
)
FIRST = "1601314875038"


# Creating


def test_a_create_is_accepted_and_live_after_the_check(shop):
    [made] = shop.push(create(listing()))
    shop.clock.advance(seconds=20)
    early = shop.client.poll([made])
    shop.clock.advance(seconds=20)
    [late] = shop.client.poll([made])

    assert (made.outcome, made.handle, outcomes(early)) == (ACCEPTED, FIRST, [ACCEPTED])
    assert (late.outcome, late.remote_id, shop.shown()[0]["status"]) == (ACK, FIRST, "live")


def test_what_is_read_back_hashes_like_what_was_sent(shop):
    wanted = listing(certificate=STAR)
    shop.live(wanted)

    [remote] = shop.client.fetch([KEY])

    assert remote.facets == wanted.facets
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(wanted.facets[f]) for f in FACETS}
