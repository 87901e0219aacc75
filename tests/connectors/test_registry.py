"""A folder is a connector; an installed package may be one, and is loaded only where the settings name it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors
from connectors import registry
from connectors.contract import Connector
from connectors.registry import GROUP, UnknownMarketplace, connector, foreign, names

FOLDERS = sorted(f.parent.name for f in Path(connectors.__file__).parent.glob("*/mapping.py"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Iterator[str]:
    """An installed package that declares two connectors: one of its own, and one under a name of ours."""
    info = tmp_path / "stall_connector-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stall-connector\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\nstall = stall_connector:CONNECTOR\nvoso = stall_connector:CONNECTOR\n"
    )
    (tmp_path / "stall_connector.py").write_text(
        "from tests.connectors.stall import declared\nCONNECTOR = declared()\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    connector.cache_clear()
    yield "stall"
    connector.cache_clear()
    sys.modules.pop("stall_connector", None)


def test_every_folder_with_a_mapping_is_found() -> None:
    assert sorted(names()) == FOLDERS
    assert {"madeincamau", "postmart", "voso"} <= set(names())


def test_shared_files_and_the_conformance_kit_are_no_marketplaces() -> None:
    assert not {"contract", "transport", "simulator", "conformance"} & set(names())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_declares_the_connector_of_its_name(name) -> None:
    found = connector(name)

    assert isinstance(found, Connector)
    assert found.name == name


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(UnknownMarketplace, match="shopee"):
        connector("shopee")


@pytest.mark.parametrize("name", ["contract", "", ".", "..", "voso.client", "conformance"])
def test_nothing_else_of_ours_can_be_loaded_by_name(name) -> None:
    with pytest.raises(UnknownMarketplace):
        connector(name)


def test_a_foreign_connector_is_listed_without_running_it(package) -> None:
    assert package in [entry.name for entry in foreign()]
    assert "stall_connector" not in sys.modules


def test_a_foreign_connector_nobody_allowed_is_never_imported(package) -> None:
    """S12: an installed package must not run just because it is there."""
    for allowed in ((), ("another",), ("stall_connector",)):
        with pytest.raises(UnknownMarketplace):
            connector(package, allowed)

    assert "stall_connector" not in sys.modules


def test_an_allowed_one_is_loaded(package) -> None:
    assert connector(package, (package,)).title == "Sạp thử"


def test_a_foreign_package_cannot_take_a_name_of_ours(package) -> None:
    assert connector("voso", ("voso",)).title == "Vỏ Sò (voso.vn)"
    assert "stall_connector" not in sys.modules


def test_a_foreign_connector_is_not_among_our_own(package) -> None:
    registry.names.cache_clear()

    assert package not in names()
