"""Finds connectors: a folder here, or an installed package that declares the entry point."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from connectors.contract import Connector

GROUP = "caybeo.connectors"


class UnknownMarketplace(LookupError):
    pass


class NotAllowed(UnknownMarketplace):
    """It is installed, and the settings do not name it."""


class Misnamed(UnknownMarketplace):
    """Its entry point has another name than the connector that it declares."""


@cache
def names() -> tuple[str, ...]:
    """Our own connectors: every folder beside this file that declares one."""
    here = Path(__file__).parent
    return tuple(
        m.name for m in pkgutil.iter_modules([str(here)]) if m.ispkg and (here / m.name / "mapping.py").exists()
    )


def foreign() -> list[EntryPoint]:
    """Connectors of installed packages: listed, never imported here."""
    return sorted(entry_points(group=GROUP), key=lambda e: e.name)


def usable(allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Ours, and those of installed packages that the settings allow by name."""
    return (*names(), *(e.name for e in foreign() if e.name in allowed and e.name not in names()))


@cache
def connector(name: str, allowed: tuple[str, ...] = ()) -> Connector:
    """The connector of that name; a foreign one only where the settings allow it by name."""
    if name in names():
        return import_module(f"connectors.{name}").CONNECTOR  # type: ignore[no-any-return]  # a module's attribute
    for entry in foreign():
        if entry.name == name and name in allowed:
            return _loaded(entry)
        if entry.name == name:
            raise NotAllowed(name)
    raise UnknownMarketplace(name)


def _loaded(entry: EntryPoint) -> Connector:
    found: Connector = entry.load()
    if found.name != entry.name:
        raise Misnamed(entry.name)
    return found
