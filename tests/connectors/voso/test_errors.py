"""One sample per business code: what the engine does, and that a doubt is never a success."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import AuthorisationFailed, Conflict, Misconfigured, Refused, Unanswered, problem_of
from connectors.voso.errors import MEANINGS, classify


def envelope(status: object, *, error: object = True, data: object = None) -> dict[str, object]:
    return {"status": status, "error": error, "message": "Giá {x} không hợp lệ", "data": data}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (201, AuthorisationFailed),
        (202, AuthorisationFailed),
        (203, AuthorisationFailed),
        (204, Refused),
        (205, Conflict),
        (206, Conflict),
        (208, Refused),
        (209, Refused),
        (500, Unanswered),
    ],
)
def test_M03_every_listed_code(code, kind):
    assert type(classify(httpx.Response(200), envelope(code))) is kind


def test_the_samples_above_are_the_whole_table():
    assert set(MEANINGS.codes()) == {*map(str, (201, 202, 203, 204, 205, 206, 208, 209, 500)), "204/category_id"}


@pytest.mark.parametrize(
    "data",
    [
        envelope(299),
        envelope(299, error=False),
        envelope(200),
        envelope("200", error=False),
        envelope(200, error=0),
        envelope(207),
        {"status": 200, "error": False, "message": "OK"},
        None,
        [],
    ],
)
def test_M03_anything_unlisted_is_a_doubt(data):
    assert isinstance(classify(httpx.Response(200), data), Unanswered)


@pytest.mark.parametrize("data", [envelope(200, error=False), envelope(207, data={"media_id": 5})])
def test_success(data):
    assert classify(httpx.Response(200), data) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthorisationFailed), (403, AuthorisationFailed), (404, Misconfigured), (413, Unanswered)],
)
def test_http_errors_come_from_something_before_the_marketplace(status, kind):
    assert isinstance(classify(httpx.Response(status), envelope(200, error=False)), kind)


@pytest.mark.parametrize(("code", "field"), [(204, "price"), (204, "{odd}"), (208, ""), (209, "")])
def test_a_refusal_reads_as_a_sentence_whatever_the_words_hold(code, field):
    problem = problem_of(classify(httpx.Response(200), envelope(code, data={"field": field})))

    assert "Giá {x} không hợp lệ" in problem.message.vi
    assert "<field>" not in problem.message.vi + problem.next_step.vi
