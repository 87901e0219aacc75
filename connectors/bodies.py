"""A marketplace's answer, read within bounds: how much it may hold, how long it may take, how deep it may nest."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from connectors.errors import Unanswered

BODY_BYTES = 10 * 1024 * 1024  # as it comes, and again as it is unpacked
SHORT = 4096  # bytes of an answer that is looked at in passing: an error or a token is far shorter
DEPTH = 64
VALUES = 250_000  # in one document: each costs up to a hundred times its own bytes once it is parsed
LARGEST = 2**63  # beyond it no database of ours keeps a whole number
PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's window bits
RAW_DEFLATE = -15  # what some servers mean by deflate

_decode = msgspec.json.Decoder().decode  # refuses NaN, Infinity, lone surrogates and invalid UTF-8
_long_number = re.compile(rb"[:\[,]\s*-?[0-9]{19}").search


class Bounded(httpx.SyncByteStream):
    """The stream of one response, unpacked. Raises Unanswered as soon as it is too much, too late, or broken."""

    def __init__(self, response: httpx.Response, late: Callable[[], bool]) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101  # only synchronous clients are built here
        self._source, self._late = response.stream, late
        self._encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        self._length = response.headers.get("Content-Length", "")
        self._bodyless = response.status_code in (204, 304)

    def __iter__(self) -> Iterator[bytes]:
        unpack = _unpacker(self._encoding)
        came = 0
        for chunk in self._source:
            came += len(chunk)
            if came > BODY_BYTES:
                raise Unanswered("body-too-large")
            if self._late():
                raise Unanswered("deadline")
            yield unpack.take(chunk)
        if self._late():
            raise Unanswered("deadline")
        if self._length.isdecimal() and not self._bodyless and came != int(self._length):
            raise Unanswered("truncated")
        unpack.end(came)

    def close(self) -> None:
        self._source.close()


class Plain:
    def take(self, chunk: bytes) -> bytes:
        return chunk

    def end(self, came: int) -> None:
        pass


class Packed:
    """zlib, never let to make more out of a chunk than still fits."""

    def __init__(self, encoding: str) -> None:
        self._bits = PACKED[encoding]
        self._zlib: Any = None
        self._head, self._left = b"", BODY_BYTES

    def take(self, chunk: bytes) -> bytes:
        if self._zlib is None:
            self._head += chunk
            if len(self._head) < 2:  # what tells the two meanings of deflate apart
                return b""
            self._zlib, chunk = zlib.decompressobj(self._meant()), self._head
        try:
            piece: bytes = self._zlib.decompress(chunk, self._left + 1)
        except zlib.error:
            raise Unanswered("bad-encoding") from None
        self._left -= len(piece)
        if self._left < 0:
            raise Unanswered("body-too-large")
        if self._zlib.unused_data:
            raise Unanswered("bad-encoding")
        return piece

    def end(self, came: int) -> None:
        if came and not (self._zlib and self._zlib.eof):
            raise Unanswered("truncated")

    def _meant(self) -> int:
        """By deflate some servers mean it without zlib's two bytes of head (RFC 1950 §2.2)."""
        is_head = self._head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(self._head[:2]) % 31 == 0
        return self._bits if self._bits != PACKED["deflate"] or is_head else RAW_DEFLATE


def _unpacker(encoding: str) -> Plain | Packed:
    if encoding in ("", "identity"):
        return Plain()
    if encoding not in PACKED:
        raise Unanswered("unknown-encoding")
    return Packed(encoding)


@dataclass(frozen=True, slots=True)
class Unparsed:
    reason: str


def parse(body: bytes) -> Any:
    """The JSON in a body, None for an empty one, Unparsed where it is something else."""
    if not body:
        return None
    if len(body) > VALUES and sum(map(body.count, (b",", b"[", b"{"))) > VALUES:
        return Unparsed("too-many-values")
    try:
        data = _decode(body)
    except (ValueError, RecursionError):
        return Unparsed("not-json")
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > DEPTH and _deeper(data):
        return Unparsed("too-deep")
    return Unparsed("number-too-large") if _long_number(body) and _has_large_number(data) else data


def _deeper(data: Any) -> bool:
    level = [data]
    for _ in range(DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return any(isinstance(node, dict | list) for node in level)


def _has_large_number(data: Any) -> bool:
    level = [data]
    while level:
        if any(isinstance(node, int) and abs(node) >= LARGEST for node in level):
            return True
        level = [child for node in level for child in _children(node)]
    return False


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


class Peeked(httpx.SyncByteStream):
    """A body whose beginning was already looked at."""

    def __init__(self, head: bytes, rest: Iterator[bytes], source: httpx.SyncByteStream) -> None:
        self._head, self._rest, self._source = head, rest, source

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._rest

    def close(self) -> None:
        self._source.close()


def peek(response: httpx.Response) -> Any:
    """The JSON of a short body, left in place for whoever reads the response next.

    httpx's own `requires_response_body` would use the stream up, and the transport must still read it, bounded.
    """
    source = response.stream
    assert isinstance(source, httpx.SyncByteStream)  # noqa: S101  # only synchronous clients are built here
    head, rest = b"", iter(source)
    for chunk in rest:
        head += chunk
        if len(head) > SHORT:
            break
    response.stream = Peeked(head, rest, source)
    return Unparsed("long") if len(head) > SHORT else parse(head)
