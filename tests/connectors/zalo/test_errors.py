"""Every code of the table, and what follows from it."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import (
    AuthorisationFailed,
    Later,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    problem_of,
)
from connectors.zalo.errors import MEANINGS, Night, NotBefore, classify, refresh_refused

EXPECTED = {
    Throttled: (-32,),
    Unanswered: (-200,),
    Later: (-214,),
    NotBefore: (-211,),
    Night: (-234,),
    AuthorisationFailed: (
        -124, -204, -205, -207, -208, -215, -216, -219, -220, -221, -223, -224, -320, -321
    ),
    Misconfigured: (-202, -209, -212, -240, -241, -242),
    Refused: (
        -100, -144, -201, -210, -213, -217, -218, -222, -227, -230, -232, -233, -235, -244, -248, -249, -305, -311,
        -1241,
    ),
}  # fmt: skip
OAUTH = {"oauth -14002", "oauth -14003"}
ROWS = [(code, kind) for kind, codes in EXPECTED.items() for code in codes]


def judged(code, message="", status=200):
    return classify(httpx.Response(status), {"error": code, "message": message})


@pytest.mark.parametrize(("code", "kind"), ROWS)
def test_what_a_code_means(code, kind):
    error = judged(code, "lời của Zalo")

    assert type(error) is kind
    assert (error.code, error.words, error.unlisted) == (str(code), "lời của Zalo", False)


@pytest.mark.parametrize(("code", "kind"), ROWS)
def test_every_sentence_stands_in_both_languages_and_names_a_next_step(code, kind):
    problem = problem_of(judged(code, "lời"))

    texts = [problem.message.vi, problem.message.en, problem.next_step.vi, problem.next_step.en]
    assert all(texts)
    assert not any("{" in text for text in texts)


def test_no_row_of_the_table_is_left_out():
    assert {str(code) for code, _ in ROWS} | OAUTH == set(MEANINGS.codes())


def test_zero_alone_is_a_success():
    assert judged(0) is None


@pytest.mark.parametrize("code", [-999, 1, -14014])
def test_a_code_that_the_table_lacks_is_a_refusal_and_noted(code):
    error = judged(code, "words")

    assert (type(error), error.unlisted, error.words) == (Refused, True, "words")


@pytest.mark.parametrize(
    "data", [None, [], "OK", True, {}, {"data": {}}, {"error": "0"}, {"error": False}, {"error": None}]
)
def test_an_answer_without_a_number_says_nothing(data):
    assert type(classify(httpx.Response(200), data)) is OtherShape


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthorisationFailed),
        (403, AuthorisationFailed),
        (404, Misconfigured),
        (405, Misconfigured),
        (418, OtherShape),
    ],
)
def test_another_status_is_no_success_whatever_the_number(status, kind):
    assert type(judged(0, status=status)) is kind


def test_a_rate_is_waited_for_a_minute():
    assert judged(-32).retry_after == 60


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("title allow 1 to 150 characters", "name"),
        ("author is too long", "brand"),
        ("description allow at most 300 characters", "price"),
        ("photo_url https://x is invalid", "images"),
        ("cover value is invalid", "images"),
        ("body value is invalid", "description"),
        ("something", ""),
    ],
)
def test_the_words_of_a_refusal_name_our_field(message, field):
    assert judged(-201, message).field == judged(-210, message).field == field


def test_a_picture_that_could_not_be_fetched_is_refused_and_any_other_failure_is_a_doubt():
    assert (type(judged(-200, "Upload media failed")), judged(-200, "Upload media failed").field) == (Refused, "images")
    assert type(judged(-200, "Send failed")) is Unanswered


@pytest.mark.parametrize("message", ["OA has reached the quota of articles", "Đã hết hạn mức bài viết"])
def test_the_words_tell_the_quota_of_articles_from_a_missing_permission(message):
    assert type(judged(-223, message)) is Refused
    assert type(judged(-223, "OA has not authorised the app")) is AuthorisationFailed


def test_long_words_are_cut():
    assert len(judged(-201, "x" * 5_000).words) == 500


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"error": -14014, "error_name": "Invalid refresh token"}, "-14014"),
        ({"error": -14002, "error_name": "Invalid app id"}, "-14002"),
        ({"error": -14003, "error_name": "Invalid redirect uri"}, "-14003"),
        ({"error_name": "Invalid refresh token", "error_description": "rT-secret"}, "oauth"),
    ],
)
def test_a_refused_renewal_asks_for_consent_and_repeats_no_description(data, code):
    error = refresh_refused(httpx.Response(200), data)

    assert (error.code, error.words) == (code, data["error_name"])
    assert "developers.zalo.me" in problem_of(error).next_step.vi
    assert "rT-secret" not in str(error)
