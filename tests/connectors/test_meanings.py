"""What `errors.toml` says is what the engine and the person get; a file that cannot be understood is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import Conflict, Later, Refused, Throttled, problem_of
from connectors.meanings import Meanings

FILE = """
[steps]
table = { vi = "Báo kỹ thuật.", en = "Tell the maintainer." }

[fields]
sale_price = "list_price"
price = "price"

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
sign = "inactive"
like = "category"

[[meaning]]
codes = ["901", "910..919"]
kind = "Throttled"
seconds = 2

[[meaning]]
codes = ["review"]
kind = "InReview"
seconds = 1800
"""

NOW = datetime(2026, 11, 28, tzinfo=UTC)


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
    assert type(meanings.error("57", "outerId already exists")) is Conflict
    assert meanings.of("201", "outerId already exists") is meanings["category"]
    assert meanings.of("58") is None
    assert meanings.of("58", "Category is inactive") is meanings["category"]


def test_waits_are_kept(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    slow, later = meanings.error("901"), meanings.error("review")
    assert isinstance(slow, Throttled)
    assert slow.retry_after == 2
    assert isinstance(later, InReview)
    assert later.seconds == 1800
    assert later.until(NOW) == NOW + timedelta(minutes=30)
    assert Later("x").until(NOW) is None


def test_a_module_finds_the_file_beside_it(tmp_path: Path) -> None:
    read(tmp_path / "errors.toml", FILE)
    assert Meanings.beside(str(tmp_path / "errors.py"), {"InReview": InReview}).of("57")


def test_a_range_stands_for_each_of_its_codes(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    assert [code for code in ("909", "910", "915", "919", "920") if meanings.of(code)] == ["910", "915", "919"]


def test_codes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    codes = list(read(tmp_path / "errors.toml", FILE).codes())
    assert codes == ["57", "201", "901", *map(str, range(910, 920)), "review"]


def test_a_code_that_the_file_lacks_is_noted(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    known, refused = meanings.error("57", "12"), meanings.error("58", "x" * 900, field="name")
    assert (known.field, known.unlisted) == ("category", False)
    assert (type(refused), refused.field, len(refused.words), refused.unlisted) == (Refused, "name", 500, True)
    assert type(meanings.error("58", otherwise=Conflict)) is Conflict


def test_fields_are_named_by_their_name_or_in_words(tmp_path: Path) -> None:
    meanings = read(tmp_path / "errors.toml", FILE)
    assert (meanings.field("sale_price"), meanings.field("other")) == ("list_price", "other")
    assert [meanings.field_in(words) for words in ("Sale_Price is odd", "a price", "")] == ["list_price", "price", ""]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('[[meaning]]\ncodes = ["1"]\nkind = "Nothing"', "Nothing"),
        ('[[meaning]]\ncodes = ["1"]\nstep = "table"', "table"),
        ('[[meaning]]\ncodes = ["1"]\nvi = "Sai."', "one language"),
        ('[[meaning]]\ncodes = ["1"]\n[[meaning]]\ncodes = ["1"]', "twice"),
        ('[[meaning]]\ncode = "1"', "code"),
        ('[[meaning]]\ncodes = ["1"]\nlike = "table"', "table"),
        ("meaning =", "errors.toml"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, wrong: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"errors\.toml") as raised:
        read(tmp_path / "errors.toml", wrong)
    assert named in str(raised.value)
