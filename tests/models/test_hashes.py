"""Equal values hash equally in every process and release: a hash that moved would send the whole catalogue again."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from models.catalogue import Image
from models.listing import differing, facet_hash
from models.records import product_of, snapshot_of
from models.value import replace
from tests.scenarios.world import shrimp

ROOT = Path(__file__).parents[2]
CONTENT = {"name": "Tôm khô Rạch Gốc", "stars": 4, "tags": ["khô", "biển"], "list_price": None, "ocop": True}
CONTENT_HASH = "2003057d5e3a4d9295d71a187743f5c6"
PICTURE = Image(sha256="ab" * 32, media_type="image/png", width=800, height=800, size=33)


def test_a_facets_hash_never_changes() -> None:
    """What lies in databases was written with this very value."""
    assert facet_hash(CONTENT) == CONTENT_HASH


def test_the_order_of_fields_does_not_matter() -> None:
    backwards = dict(reversed(CONTENT.items()))

    assert list(backwards) != list(CONTENT)
    assert facet_hash(backwards) == facet_hash(CONTENT)


@pytest.mark.parametrize(
    "change", [{"name": "Tôm khô"}, {"stars": 5}, {"tags": ["biển", "khô"]}, {"list_price": 0}, {"ocop": False}]
)
def test_any_other_value_hashes_otherwise(change) -> None:
    assert facet_hash({**CONTENT, **change}) != facet_hash(CONTENT)


def test_hashes_do_not_depend_on_the_process() -> None:
    """Python seeds `hash()` anew in each process; ours must not follow."""
    program = f"from models.listing import differing, facet_hash; print(facet_hash({CONTENT!r}))"
    seeds = ({"PYTHONHASHSEED": seed} for seed in ("1", "2"))

    told = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **seed}, capture_output=True, text=True,
            check=True,
        ).stdout.strip()
        for seed in seeds
    }  # fmt: skip

    assert told == {CONTENT_HASH}


def test_a_product_survives_its_snapshot() -> None:
    product = replace(shrimp(1, PICTURE), is_alcohol=True, alcohol_percent=Decimal("29.5"))

    document, _ = snapshot_of(product)

    assert product_of(document) == product


def test_equal_products_have_equal_snapshots() -> None:
    assert snapshot_of(shrimp(1, PICTURE)) == snapshot_of(shrimp(1, PICTURE))


def test_a_snapshots_hash_follows_its_content() -> None:
    assert snapshot_of(shrimp(1, PICTURE))[1] != snapshot_of(shrimp(1, PICTURE, price=250_001))[1]


def test_a_snapshot_of_an_older_release_is_still_read() -> None:
    """A field that was added since has its default."""
    old = b'{"product_id":"A","name":"T\xc3\xb4m","producer":{"producer_id":"p","legal_name":"HTX"},"variants":[]}'

    assert product_of(old).certificates == ()


def test_facets_that_read_otherwise_are_named_in_the_order_asked_for():
    there, wanted = {"price": 1, "stock": 2, "content": {"a": 1}}, {"price": 2, "stock": 2, "content": {"a": 2}}

    assert differing(there, wanted, ["stock", "price", "content"]) == ["price", "content"]
