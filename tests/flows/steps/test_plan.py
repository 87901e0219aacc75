"""Which change makes what was acknowledged equal to what should be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.steps.plan import DUE, Selection, decide
from models.change import Kind
from models.listing import FACETS

HASHES = {facet: f"{facet}-1" for facet in FACETS}


@pytest.mark.parametrize(
    ("status", "baseline", "kind", "facets"),
    [
        ("absent", {}, Kind.CREATE, FACETS),
        ("absent", HASHES, Kind.CREATE, FACETS),
        ("live", HASHES, None, ()),
        ("live", HASHES | {"price": "other"}, Kind.UPDATE, ("price",)),
        ("live", HASHES | {"stock": "other", "content": "other"}, Kind.UPDATE, ("content", "stock")),
        ("live", {"price": "price-1"}, Kind.UPDATE, ("content", "stock", "images")),
        ("hidden", HASHES, Kind.RELIST, ()),
        ("hidden", HASHES | {"images": "other"}, Kind.RELIST, ("images",)),
    ],
)
def test_the_smallest_change_that_makes_it_so(
    status: str, baseline: dict[str, str], kind: Kind | None, facets: tuple[str, ...]
) -> None:
    assert decide(status, baseline, HASHES, force=False) == (kind, facets)


def test_force_sends_every_facet_of_what_is_live() -> None:
    assert decide("live", HASHES, HASHES, force=True) == (Kind.UPDATE, FACETS)


STATES = st.dictionaries(st.sampled_from(FACETS), st.sampled_from(["a", "b"]))


@given(status=st.sampled_from(["live", "hidden"]), baseline=STATES, wanted=st.lists(st.sampled_from("ab"), min_size=4))
def test_what_was_done_needs_doing_no_more(status: str, baseline: dict[str, str], wanted: list[str]) -> None:
    hashes = dict(zip(FACETS, wanted, strict=False))
    _, facets = decide(status, baseline, hashes, force=False)

    done = baseline | {facet: hashes[facet] for facet in facets}

    assert decide("live", done, hashes, force=False) == (None, ())


def test_a_second_look_of_a_run_stays_with_what_was_asked_for() -> None:
    assert DUE.again() == Selection(due=True)
    assert Selection(skus=("TK1",), force=True).again() == Selection(skus=("TK1",), due=True)
