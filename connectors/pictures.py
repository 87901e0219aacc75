"""Pictures that a marketplace keeps under addresses of its own: uploaded once, recognised when read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256

from connectors.contract import Media

JPEG = b"\xff\xd8\xff"


class HostedPictures:
    """`upload` is given a file's name, its bytes and its media type, and returns the address the picture got."""

    def __init__(self, media: Media, upload: Callable[[str, bytes, str], str]) -> None:
        self._media, self._upload = media, upload
        self._shown: dict[str, str] = {}  # address -> sha256 of what it shows

    def url(self, sha: str) -> str:
        url = self._media.remote_id(sha)
        if not url:
            data = self._media.read(sha)
            kind = "jpeg" if data.startswith(JPEG) else "png"
            url = self._upload(f"{sha}.{kind}", data, f"image/{kind}")
            self._media.remember(sha, url)
        self._shown[url] = sha
        self._media.remember(_digest(url), sha)  # answers name it by address alone: so a later run knows whose it is
        return url

    def whose(self, url: str) -> str:
        """The picture that was uploaded to this address; for a foreign one the address itself."""
        return self._shown.get(url) or self._media.remote_id(_digest(url)) or url

    def forget(self, pictures: Iterable[str]) -> None:
        """The marketplace may have lost them: whoever tries again uploads them anew."""
        for sha in pictures:
            self._media.remember(sha, "")


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()
