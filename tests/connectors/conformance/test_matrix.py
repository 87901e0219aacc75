"""The guide's table says what the connectors declare."""

from __future__ import annotations

from connectors.conformance.matrix import GUIDE, matrix, with_matrix
from connectors.conformance.template import CONNECTOR
from connectors.registry import names


def test_the_table_in_the_guide_is_of_today() -> None:
    guide = GUIDE.read_text("utf-8")

    assert with_matrix(guide) == guide, "run: python -m connectors.conformance.matrix"
    assert all(f"| {name} " in guide for name in names())


def test_a_row_for_each_declaration() -> None:
    table = matrix([CONNECTOR])

    assert "| create safety | A |" in table
    assert "| poll | – |" in table
    assert "| images | yes |" in table
    assert "| max_name_len | 120 |" in table


def test_the_guide_names_every_attribute_that_a_scenario_asks_for() -> None:
    guide = GUIDE.read_text("utf-8")

    assert all(name in guide for name in ("refused_facets", "refused_later", "expire()", "refused_batch()"))
