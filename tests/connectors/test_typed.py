"""Answers become typed values on any number of threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from connectors.typed import typed

ROOT = Path(__file__).parents[2]
MANY_AT_ONCE = """
import sys, threading
from dataclasses import dataclass
from connectors.typed import typed
sys.setswitchinterval(1e-6)
def meet():
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Part: name: str; size: int | None = None
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Whole: number: int; parts: tuple[Part, ...]; named: dict[str, Part]
    together = threading.Barrier(8)
    def read():
        together.wait()
        typed({"number": 1, "parts": [{"name": "a"}], "named": {}}, Whole)
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
for _ in range(300): meet()
"""


def test_many_threads_may_meet_a_new_type_at_once() -> None:
    """Without the lock the process ends with signal 11 within the first few types."""
    ended = subprocess.run([sys.executable, "-c", MANY_AT_ONCE], cwd=ROOT, capture_output=True, check=False)

    assert ended.returncode == 0, ended.stderr.decode()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        typed({"a": "x"}, dict[str, int])
