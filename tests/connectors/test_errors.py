"""Whatever ends a call is told to a shop owner as a sentence and a next step, in Vietnamese and in English."""

from __future__ import annotations

import pytest

from connectors.errors import (
    SENTENCES,
    AuthorisationFailed,
    ClockSkew,
    Conflict,
    ConnectorError,
    Down,
    Interrupted,
    Misconfigured,
    NotRecorded,
    NotSent,
    OtherShape,
    OutOfTime,
    Refused,
    Throttled,
    Unanswered,
    problem_of,
)
from models.text import Text
from tests.scenarios.world import TODAY

KINDS = [AuthorisationFailed, Conflict, Misconfigured, NotSent, Refused, Throttled, Unanswered]


NEVER_LEFT = {Down: Down(TODAY), Interrupted: Interrupted(), NotRecorded: NotRecorded("x"), OutOfTime: OutOfTime()}


def test_the_tree_is_the_one_drawn_at_its_top() -> None:
    assert set(ConnectorError.__subclasses__()) == set(KINDS)
    assert set(NotSent.__subclasses__()) == set(NEVER_LEFT)
    assert set(Unanswered.__subclasses__()) == {OtherShape}
    assert set(Misconfigured.__subclasses__()) == {ClockSkew}


def test_every_branch_has_its_own_sentence() -> None:
    assert set(SENTENCES) == {*KINDS, *NEVER_LEFT, OtherShape, ClockSkew}


@pytest.mark.parametrize("error", NEVER_LEFT.values(), ids=lambda error: error.code)
def test_what_never_left_is_told_by_its_reason(error) -> None:
    problem = problem_of(error)

    assert problem.message != problem_of(NotSent(error.code)).message
    for told in (problem.message.vi, problem.message.en, problem.next_step.vi, problem.next_step.en):
        assert told.endswith((".", ")"))
        assert "{" not in told


def test_M23_a_silence_is_told_with_its_beginning() -> None:
    problem = problem_of(Down(TODAY))

    assert "từ 23/11/2026 09:00" in problem.message.vi
    assert "since 23/11/2026 09:00" in problem.message.en


def test_M17_an_answer_of_another_shape_is_told_with_where_its_sample_lies() -> None:
    problem = problem_of(OtherShape("unexpected-answer", "Product: Expected `str`"))

    assert "caybeo oddities" in problem.next_step.vi
    assert "caybeo oddities" in problem.next_step.en
    assert "Expected" not in problem.message.vi


def test_M25_a_wrong_clock_is_called_by_its_name() -> None:
    assert "đồng hồ" in problem_of(ClockSkew("clock_skew")).message.vi


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_sentence_and_a_next_step(kind) -> None:
    problem = problem_of(kind("E42", "tên quá dài"))

    for told in (problem.message, problem.next_step):
        assert told.vi.endswith((".", ")"))
        assert told.en.endswith((".", ")"))
        assert "{" not in told.vi + told.en
    assert problem.code == "E42"
    assert "E42" in problem.message.vi + problem.next_step.vi


def test_a_refusal_is_told_in_the_marketplaces_own_words() -> None:
    problem = problem_of(Refused("E42", "tên quá dài", field="name"))

    assert problem.message == Text(
        "Sàn từ chối: tên quá dài (mã E42).", "The marketplace refused: tên quá dài (code E42)."
    )
    assert problem.field == "name"
    assert "“tên sản phẩm”" in problem.next_step.vi


def test_without_words_the_code_speaks() -> None:
    assert problem_of(Refused("E42")).message.vi == "Sàn từ chối: E42 (mã E42)."


def test_the_connectors_own_sentence_comes_first() -> None:
    said = Text("Ảnh quá lớn ({code}): {words}.", "Picture too large ({code}): {words}.")
    do = Text("Thu nhỏ ảnh.", "Make it smaller.")

    problem = problem_of(Refused("208", "2 MB", message=said, next_step=do))

    assert problem.message.vi == "Ảnh quá lớn (208): 2 MB."
    assert problem.next_step == do


@pytest.mark.parametrize("words", ["{code}", "{0}", "{words.__class__}", "{", "}}", "100 %"])
def test_a_marketplaces_words_are_never_a_template(words) -> None:
    assert words in problem_of(Refused("E42", words)).message.vi


def test_a_new_kind_of_a_known_one_is_told_like_it() -> None:
    class Banned(Refused):
        pass

    assert problem_of(Banned("E1", "x")) == problem_of(Refused("E1", "x"))


def test_an_error_reads_as_code_and_words() -> None:
    assert str(Refused("E42", "tên quá dài")) == "E42: tên quá dài"
    assert str(Unanswered("ReadTimeout")) == "ReadTimeout"
