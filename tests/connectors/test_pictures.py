"""A picture is uploaded once and recognised by the address it got."""

from __future__ import annotations

from connectors.pictures import HostedPictures

JPEG = b"\xff\xd8\xff\xe0"
OURS, THEIRS = "https://img.example/1.jpeg", "https://elsewhere.example/2.png"


class Shelf:
    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def read(self, sha256: str) -> bytes:
        return JPEG if sha256 == "a" else b"\x89PNG"

    def remote_id(self, sha256: str) -> str | None:
        return self.ids.get(sha256)

    def remember(self, sha256: str, remote_id: str) -> None:
        self.ids[sha256] = remote_id


def hosted(shelf: Shelf, sent: list[tuple[str, str]]) -> HostedPictures:
    def upload(name: str, data: bytes, kind: str) -> str:
        sent.append((name, kind))
        return OURS

    return HostedPictures(shelf, upload)


def test_it_is_uploaded_once_and_recognised_by_a_later_run() -> None:
    shelf, sent = Shelf(), []
    pictures = hosted(shelf, sent)

    assert [pictures.url("a"), pictures.url("a")] == [OURS, OURS]
    assert sent == [("a.jpeg", "image/jpeg")]
    assert hosted(shelf, sent).whose(OURS) == "a"


def test_what_was_forgotten_is_uploaded_anew() -> None:
    shelf, sent = Shelf(), []
    pictures = hosted(shelf, sent)
    pictures.url("b")

    pictures.forget(["b"])
    pictures.url("b")

    assert sent == [("b.png", "image/png")] * 2


def test_somebody_elses_stays_what_it_is() -> None:
    sent: list[tuple[str, str]] = []
    pictures = hosted(Shelf(), sent)

    assert (pictures.url(THEIRS), pictures.whose(THEIRS), sent) == (THEIRS, THEIRS, [])
