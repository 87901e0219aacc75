"""Which tests share a worker of `pytest -n`, and in which order they are given out.

Tests around one server are a piece, so it is started once; they wait much and go first, beside what computes. The
simulation is cut fine and comes last, so that the workers end together.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

_PREFECT = ("browser", "deployments", "flows", "prefect_away", "up", "zombies")
AROUND_ONE = (tuple(f"tests/flows/test_{name}.py" for name in _PREFECT), ("tests/blackbox/",))
FILLING = "tests/simulation/"


class Together(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(FILLING):
            return nodeid
        return next((group[0] for group in AROUND_ONE if file.startswith(group)), file)


def turn(nodeid: str) -> int:
    """The smaller, the earlier."""
    late = len(AROUND_ONE) + nodeid.startswith(FILLING)
    return next((place for place, group in enumerate(AROUND_ONE) if nodeid.startswith(group)), late)
