"""Writing: what is created, changed, taken down and shown again, and what is never called a success."""

from __future__ import annotations

from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from tests.connectors.amazon.shop import STAR, create, dollars, listing


def test_what_was_created_reads_as_it_was_sent(shop):
    made = listing(certificate=STAR, list_price=dollars("29.5"), gtin="8938505974194")

    done = shop.settle(create(made))

    (remote,) = shop.client.fetch([made.key])
    assert done[made.key].outcome is Outcome.ACKNOWLEDGED
    assert remote.status == "live"
    assert remote.facets == made.facets
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(made.facets[f]) for f in FACETS}
