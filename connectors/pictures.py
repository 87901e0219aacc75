"""Which pictures a marketplace takes; and those that it keeps under addresses of its own: uploaded once, recognised
when read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from connectors.contract import Media
from connectors.problems import ANY_SIDE, missing, no_usable_picture
from models.catalogue import Image
from models.listing import Item, Problem

TYPES = frozenset({"image/jpeg", "image/png"})
MEGABYTE = 2**20
JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureRule:
    """Of a marketplace that shows `most` pictures of a product: each JPEG or PNG, of `size` bytes at most."""

    most: int
    size: int
    sides: range = ANY_SIDE  # pixels, of both
    longer: bool = False  # or of the longer one alone

    def fits(self, image: Image) -> bool:
        sides = {max(image.width, image.height)} if self.longer else {image.width, image.height}
        measured = self.sides == ANY_SIDE or all(side in self.sides for side in sides)
        return image.media_type in TYPES and image.size <= self.size and measured

    def usable(self, item: Item) -> list[str]:
        """The first that fit, each once."""
        return list(dict.fromkeys(image.sha256 for image in item.images if self.fits(image)))[: self.most]

    def problems(self, item: Item) -> Iterator[Problem]:
        if not item.images:
            yield missing("images")
        elif not self.usable(item):
            yield no_usable_picture(round(self.size / MEGABYTE), self.sides, longer=self.longer)


class HostedPictures:
    """`upload` is given a file's name, its bytes and its media type, and returns the address the picture got."""

    def __init__(self, media: Media, upload: Callable[[str, bytes, str], str]) -> None:
        self._media, self._upload = media, upload
        self._shown: dict[str, str] = {}  # address -> sha256 of what it shows

    def url(self, sha: str) -> str:
        """Somebody else's picture is an address already."""
        if sha.startswith("https:"):
            return sha
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
