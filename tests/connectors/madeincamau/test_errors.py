"""Every documented code means something; none of them, and no unknown one, is a success."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml

from connectors import madeincamau
from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    Misconfigured,
    Refused,
    Unanswered,
    problem_of,
)
from connectors.madeincamau.errors import MEANINGS, STORED, classify

DOCUMENT = yaml.safe_load(Path(madeincamau.__file__).with_name("openapi.yaml").read_text("utf-8"))
ERROR = DOCUMENT["components"]["schemas"]["Errors"]["properties"]["errors"]["items"]
DOCUMENTED = set(ERROR["properties"]["code"]["enum"])


def judged(status, *faults):
    errors = [{"field": field, "code": code, "message_vi": words} for field, code, words in faults]
    return classify(httpx.Response(status), {"errors": errors})


def test_the_table_holds_every_documented_code():
    """429 never reaches the table: the transport waits. A moderator's code is no error."""
    assert set(MEANINGS.codes()) - {"contact_data"} == DOCUMENTED - {"rate_limited"}


@pytest.mark.parametrize("code", sorted(MEANINGS.codes()))
def test_every_code_becomes_two_sentences_in_both_languages(code):
    error = judged(422, ("name", code, "Lời của sàn."))
    problem = problem_of(error)

    assert type(error) is MEANINGS.of(code).kind
    assert all("{" not in text and text for s in (problem.message, problem.next_step) for text in (s.vi, s.en))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_token", AuthorisationFailed),
        (403, "forbidden", AuthorisationFailed),
        (404, "unknown_path", Misconfigured),
        (404, "not_found", Conflict),
        (409, "stale_revision", Conflict),
        (413, "too_large", Refused),
        (422, "too_long", Refused),
        (403, "never_seen", AuthorisationFailed),
        (409, "never_seen", Conflict),
        (400, "never_seen", Refused),
        (451, "never_seen", Refused),
    ],
)
def test_the_code_decides_and_for_an_unknown_one_the_status(status, code, kind):
    assert type(judged(status, ("", code, ""))) is kind


@pytest.mark.parametrize("data", [None, {}, [], {"errors": []}, {"errors": [{"code": 1}]}, {"errors": "no"}])
def test_a_refusal_in_another_form_is_still_a_refusal(data):
    assert type(classify(httpx.Response(422), data)) is Refused


@pytest.mark.parametrize("status", [203, 204, 206, 304])
def test_an_undocumented_success_is_no_answer(status):
    assert type(classify(httpx.Response(status), {})) is Unanswered


@pytest.mark.parametrize("status", STORED)
def test_documented_successes_are_none(status):
    assert classify(httpx.Response(status), {}) is None


def test_all_words_of_the_marketplace_are_kept_and_the_first_field_is_ours():
    error = judged(422, ("price_vnd", "out_of_range", "Giá sai."), ("name", "too_long", "Tên dài."))

    assert (error.code, error.field, error.words) == ("out_of_range", "price", "Giá sai. Tên dài.")
