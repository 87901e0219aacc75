"""A seed replays bit for bit: also in another process, under another hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.gate import digest

ROOT = Path(__file__).parents[2]
SEEDS = range(20)


@pytest.mark.parametrize("hash_seed", ["1", "4294967295"])
def test_a_seed_replays_bit_for_bit_under_another_hash_seed(hash_seed: str) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--digests", str(len(SEEDS))],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert child.stdout.split() == [digest(seed) for seed in SEEDS]
