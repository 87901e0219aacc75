"""Which items the template connector can list; the kit's scenarios run on it by themselves."""

from __future__ import annotations

from connectors.conformance.bench import SHRIMP
from connectors.conformance.template import CONNECTOR
from connectors.contract import Policy
from models.listing import Listing, Unlistable
from models.value import replace


def test_a_whole_item_is_listable() -> None:
    assert isinstance(CONNECTOR.project(SHRIMP, Policy()), Listing)


def test_an_item_without_a_name_is_not() -> None:
    assert isinstance(CONNECTOR.project(replace(SHRIMP, name=""), Policy()), Unlistable)
