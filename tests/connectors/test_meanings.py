"""What `errors.toml` says is what the engine and the person get; a file that cannot be understood is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import Conflict, Later, Refused, Throttled, problem_of
from connectors.meanings import Meanings

FILE = """
[steps]
table = { vi = "Báo kỹ thuật.", en = "Tell the maintainer." }

[[meaning]]
name = "category"
codes = ["57", "201"]
field = "category"
vi = "Sàn không nhận ngành hàng: {words} (mã {code})."
en = "The category is refused: {words} (code {code})."
step = "table"

[[meaning]]
codes = ["57"]
sign = "already exists"
kind = "Conflict"

[[meaning]]
codes = ["901"]
kind = "Throttled"
seconds = 2

[[meaning]]
codes = ["review"]
kind = "InReview"
seconds = 1800
"""


class InReview(Later):
    pass


def read(path: Path, text: str) -> Meanings:
    path.write_text(text, "utf-8")
    return Meanings(path, {"InReview": InReview})


def test_a_code_gives_its_kind_field_sentence_and_step(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    error = meanings["category"].error("57", "12")
    assert type(error) is Refused
    assert meanings.of("201") is meanings["category"]
    problem = problem_of(error)
    assert (problem.field, problem.message.vi) == ("category", "Sàn không nhận ngành hàng: 12 (mã 57).")
    assert problem.next_step.en == "Tell the maintainer."


def test_words_are_sharper_than_the_code(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    assert meanings.of("57", "outerId already exists").kind is Conflict  # type: ignore[union-attr]
    assert meanings.of("201", "outerId already exists") is meanings["category"]
    assert meanings.of("58") is None


def test_waits_are_kept(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    slow, later = meanings.of("901").error("901"), meanings.of("review").error("review")  # type: ignore[union-attr]
    assert isinstance(slow, Throttled)
    assert slow.retry_after == 2
    assert isinstance(later, InReview)
    assert later.seconds == 1800


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('[[meaning]]\ncodes = ["1"]\nkind = "Nothing"', "Nothing"),
        ('[[meaning]]\ncodes = ["1"]\nstep = "table"', "table"),
        ('[[meaning]]\ncodes = ["1"]\nvi = "Sai."', "one language"),
        ('[[meaning]]\ncodes = ["1"]\n[[meaning]]\ncodes = ["1"]', "twice"),
        ('[[meaning]]\ncode = "1"', "code"),
        ("meaning =", "errors.toml"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, wrong: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"errors\.toml") as raised:
        read(tmp_path / "errors.toml", wrong)
    assert named in str(raised.value)
