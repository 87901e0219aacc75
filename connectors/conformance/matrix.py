"""What each connector declares, as the table in connectors/README.md; run as a module it writes the table anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import connectors
from connectors.contract import Capabilities, Connector
from connectors.registry import connector, names

GUIDE = Path(connectors.__file__).parent / "README.md"
BEGIN, END = "<!-- matrix: python -m connectors.conformance.matrix -->", "<!-- end of matrix -->"
DECLARED: dict[str, Callable[[Connector], object]] = {
    "create safety": lambda c: c.safety,
    "starts as": lambda c: c.live_mode,
    "currencies": lambda c: ", ".join(c.currencies),
    "changes in a push": lambda c: c.limits.batch_size,
    "pushes at once": lambda c: c.limits.in_flight,
}


def matrix(found: list[Connector]) -> str:
    """A row for each thing declared, a column for each connector."""
    rows = [[what, *(_cell(of(c)) for c in found)] for what, of in DECLARED.items()]
    rows += [[f.name, *(_cell(getattr(c.capabilities, f.name)) for c in found)] for f in fields(Capabilities)]
    head = ["", *(c.name for c in found)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return {True: "yes", False: "–"}[value] if isinstance(value, bool) else str(value)


def with_matrix(guide: str) -> str:
    """The guide with today's table between its marks."""
    table = matrix([connector(name) for name in names()])
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table}\n{END}", guide, flags=re.DOTALL)


if __name__ == "__main__":
    GUIDE.write_text(with_matrix(GUIDE.read_text("utf-8")), "utf-8")
