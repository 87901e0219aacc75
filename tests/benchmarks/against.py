"""The first sync of this tree against that of an earlier commit, in turns: `make bench-against REF=…`."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 5
ONE = "from tests.benchmarks.bench import one_sync; ratio, idle = one_sync('sync', 1, 0); print('idle', idle)"
FIGURES = re.compile(r"ours (?P<ours>[\d.]+) s, bare (?P<bare>[\d.]+) s.*idle (?P<idle>[\d.]+)", re.DOTALL)


def main(reference: str) -> None:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(before), reference], check=True)
        try:
            rounds = [(measure(before), measure(here)) for _ in range(ROUNDS)]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], check=True)
    for name in ("ours", "idle"):
        ratio = statistics.median(after[name] / then[name] for then, after in rounds)
        figures = ", ".join(f"{then[name]:.2f} -> {after[name]:.2f}" for then, after in rounds)
        print(f"{name}: {ratio:.2f}x of {reference} (seconds: {figures})")


def measure(tree: Path) -> dict[str, float]:
    """CPU seconds of a first sync of 10,000 listings, and of a bare client sending the same; seconds of an idle run."""
    done = subprocess.run([sys.executable, "-c", ONE], cwd=tree, capture_output=True, text=True, check=True)
    found = FIGURES.search(done.stdout)
    assert found, done.stdout
    return {name: float(value) for name, value in found.groupdict().items()}


if __name__ == "__main__":
    main(sys.argv[1])
