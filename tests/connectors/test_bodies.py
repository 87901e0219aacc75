"""An answer is read within bounds, and what is not clearly an answer is none."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterable
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bodies import BODY_BYTES, DEPTH, VALUES, Bounded, Unparsed, parse
from connectors.errors import Unanswered
from tests.connectors.stall import Pieces

BODY = json.dumps({"name": "Tôm khô Rạch Gốc", "price": 250_000}).encode() * 50


def read(
    pieces: Iterable[bytes], headers: dict[str, str] | None = None, status: int = 200, late: bool = False
) -> bytes:
    response = httpx.Response(status, headers=headers, stream=Pieces(pieces))
    return b"".join(Bounded(response, lambda: late))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "Deflate ": raw_deflate}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("encoding", PACKERS)
def test_N09_what_was_compressed_is_read_however_it_arrives(encoding, size) -> None:
    packed = PACKERS[encoding](BODY)

    assert read(cut(packed, size), {"Content-Encoding": encoding}) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip,br", "x", "gzip;q=1"])
def test_N09_an_encoding_nobody_knows_is_no_answer(encoding) -> None:
    with pytest.raises(Unanswered, match="unknown-encoding"):
        read([b"{}"], {"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b[:20] + b"\xff" * 20 + b[40:], lambda b: b + b"x"])
def test_N09_bad_compression_is_no_answer(encoding, spoil) -> None:
    with pytest.raises(Unanswered, match=r"truncated|bad-encoding"):
        read([spoil(PACKERS[encoding](BODY))], {"Content-Encoding": encoding})


@given(st.binary(max_size=300))
def test_N09_no_bytes_break_the_unpacking(data) -> None:
    for encoding in ("gzip", "deflate"):
        with suppress(Unanswered):
            assert len(read([data], {"Content-Encoding": encoding})) <= BODY_BYTES


@pytest.mark.parametrize("extra", [0, 1])
def test_N09_unpacked_it_may_be_ten_megabytes_and_not_a_byte_more(extra) -> None:
    packed = gzip.compress(b"0" * (BODY_BYTES + extra))

    if extra:
        with pytest.raises(Unanswered, match="body-too-large"):
            read(cut(packed, 65_536), {"Content-Encoding": "gzip"})
    else:
        assert len(read(cut(packed, 65_536), {"Content-Encoding": "gzip"})) == BODY_BYTES


def test_N09_a_bomb_is_given_up_before_all_of_it_was_taken() -> None:
    bomb = Pieces(cut(gzip.compress(b"0" * 200_000_000, 1), 4096))
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=bomb)

    with pytest.raises(Unanswered, match="body-too-large"):
        b"".join(Bounded(response, lambda: False))

    assert bomb.taken < 50


def test_N09_one_large_chunk_is_not_unpacked_at_once() -> None:
    """200 KB that become 200 MB in a single step, were they let."""
    bomb = gzip.compress(b"0" * 200_000_000)
    tracemalloc.start()

    with pytest.raises(Unanswered, match="body-too-large"):
        read([bomb], {"Content-Encoding": "gzip"})

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * BODY_BYTES


@pytest.mark.parametrize("length", ["9", "11", "0"])
def test_N08_a_length_that_does_not_fit_is_no_answer(length) -> None:
    with pytest.raises(Unanswered, match="truncated"):
        read([b'{"id": 7}\n'], {"Content-Length": length})


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_may_name_a_length(status) -> None:
    assert read([], {"Content-Length": "10"}, status) == b""


def test_N08_the_length_is_that_of_what_is_sent_and_not_of_what_it_means() -> None:
    packed = gzip.compress(BODY)

    assert read([packed], {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}) == BODY


def test_N07_what_comes_too_late_is_no_answer() -> None:
    with pytest.raises(Unanswered, match="deadline"):
        read([b"{}"], late=True)


# --- JSON -------------------------------------------------------------------------------------------------------------

NO_JSON = {
    "html": b"<!doctype html><p>Welcome</p>",
    "nan": b'{"price": NaN}',
    "infinity": b"[-Infinity]",
    "6000-digits": b'{"price": %s}' % (b"9" * 6000),
    "4000-digits": b'{"price": %s}' % (b"9" * 4000),
    "more-than-64-bits": b'{"price": [1, 99999999999999999999]}',
    "a-float-without-end": b'{"price": 1e400}',
    "invalid-utf8": b'{"name": "\xff\xfe"}',
    "overlong-utf8": b'{"name": "\xc0\xaf"}',
    "lone-surrogate": b'{"name": "\\ud800"}',
    "surrogates-as-utf8": b'{"name": "\xed\xa0\x80"}',
    "deep": b"[" * (DEPTH + 2) + b"]" * (DEPTH + 2),
    "deep-objects": b'{"a":' * (DEPTH + 2) + b"1" + b"}" * (DEPTH + 2),
    "very-deep": b"[" * 100_000,
    "many-values": b"[" + b"0," * VALUES + b"0]",
    "cut": b'{"name": "T',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_N11_what_is_not_plain_json_is_not_parsed(body) -> None:
    assert isinstance(parse(body), Unparsed)


@pytest.mark.parametrize(
    "body",
    [
        b'{"price": 9223372036854775807, "other": -9223372036854775807}',
        b'{"sku": "12345678901234567890123, 99999999999999999999"}',  # digits in a text are no number
        b"[" * DEPTH + b"]" * DEPTH,
        '{"name": "Tôm 🦐 \\ud83e\\udd90"}'.encode(),
        b"[" + b"0," * (VALUES // 2) + b"0]",
    ],
    ids=lambda body: body[:30].decode(),
)
def test_what_is_unusual_and_right_is_parsed(body) -> None:
    assert parse(body) == json.loads(body)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(), st.lists, max_leaves=80))
def test_any_document_is_read_as_it_was_written(data) -> None:
    assert parse(json.dumps(data).encode()) == data
