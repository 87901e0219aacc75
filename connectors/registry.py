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


@cache
def connector(name: str, allowed: tuple[str, ...] = ()) -> Connector:
    """The connector of that name; a foreign one only where the settings allow it by name."""
    if name in names():
        return import_module(f"connectors.{name}").CONNECTOR  # type: ignore[no-any-return]  # a module's attribute
    for entry in foreign():
        if entry.name == name and name in allowed:
            return entry.load()  # type: ignore[no-any-return]  # the package's own declaration
    raise UnknownMarketplace(name)
