"""Articles as Zalo answers and takes them, and whose product each of them shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import msgspec

from connectors.addresses import Addresses
from connectors.zalo.mapping import description, offer_of
from models.change import Change
from models.listing import FACETS, Facets

# What a whole article is sent with; the rest of what is read (counters, dates) is Zalo's.
WRITABLE = (
    "type", "title", "author", "cover", "description", "body", "related_medias", "tracking_link", "status", "comment",
)  # fmt: skip
Switch = Literal["show", "hide"]
OFFERED, PICTURED = {"price", "stock"}, {"content", "images"}


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """`oaid` is the older name."""

    name: str
    oa_id: str = ""
    oaid: str = ""


class Named(msgspec.Struct, frozen=True):
    id: str


class Slice(msgspec.Struct, frozen=True):
    medias: list[Named]
    total: int


class PhotoCover(msgspec.Struct, frozen=True, tag_field="cover_type", tag="photo"):
    photo_url: str
    status: Switch = "show"


class VideoCover(msgspec.Struct, frozen=True, tag_field="cover_type", tag="video"):
    pass


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    content: str


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    url: str


class VideoPart(msgspec.Struct, frozen=True, tag_field="type", tag="video"):
    pass


class ProductPart(msgspec.Struct, frozen=True, tag_field="type", tag="product"):
    pass


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever an OA may publish."""

    id: str
    description: str = ""
    tracking_link: str | None = None


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One of ours, also where a person has worked on it."""

    type: Literal["normal"] = "normal"
    title: str
    status: Switch
    comment: Switch = "show"
    author: str = ""
    description: str = ""
    cover: PhotoCover | VideoCover
    body: list[TextPart | ImagePart | VideoPart | ProductPart]
    tracking_link: str = ""


def facets_of(article: Article, ours: Addresses) -> Facets:
    price, stock = offer_of(article.description)
    texts = [part.content for part in article.body if isinstance(part, TextPart)]
    cover = article.cover.photo_url if isinstance(article.cover, PhotoCover) else ""
    photos = [cover, *(part.url for part in article.body if isinstance(part, ImagePart))]
    return {
        "content": {"title": article.title, "author": article.author, "body": texts},
        "price": price,
        "stock": stock,
        "images": [ours.sha256(photo) for photo in photos],
    }


def new_article(sku: str, listing: Facets, ours: Addresses) -> dict[str, Any]:
    """`status` must be said: without it an article is hidden."""
    rest = {"type": "normal", "tracking_link": ours.link(sku), "status": "show", "comment": "show"}
    return rest | _fields(listing, FACETS, ours)


def revised(
    raw: dict[str, Any], there: Facets, change: Change, facets: Collection[str], ours: Addresses
) -> dict[str, Any]:
    """The whole article, as an update replaces all of it: these facets are ours, the rest is as it stands there.

    Price and stock share a line, so one that nobody can read any more is written anew whichever of them changes.
    """
    sent = {*facets} | (OFFERED if "text" in there["price"] and OFFERED & {*facets} else set())
    mixed: Facets = {facet: change.listing[facet] if facet in sent else there[facet] for facet in FACETS}
    fields = _fields(mixed, sent, ours)
    if "body" in fields:  # what a person put between, a video say, comes after
        fields["body"] += [part for part in raw["body"] if part["type"] not in ("text", "image")]
    return (
        new_article(change.key, change.listing, ours)
        | writable(raw)
        | fields
        | {"tracking_link": ours.link(change.key)}
    )


def writable(raw: dict[str, Any]) -> dict[str, Any]:
    """What is missing in the answer to a read would be missing there too, were it the whole of an update."""
    kept = {name: raw[name] for name in WRITABLE if name in raw}
    return {"type": "normal"} | kept | {"cover": {"status": "show"} | raw["cover"]}


def _fields(shown: Facets, facets: Iterable[str], ours: Addresses) -> dict[str, Any]:
    """An article's fields that hold one of these facets: the body holds two, the description two others."""
    content, fields = shown["content"], dict[str, Any]()
    cover, *photos = map(ours.photo, shown["images"])
    if "content" in facets:
        fields |= {"title": content["title"], "author": content["author"]}
    if OFFERED.intersection(facets):
        fields["description"] = description(shown["price"], shown["stock"])
    if "images" in facets:
        fields["cover"] = {"cover_type": "photo", "photo_url": cover, "status": "show"}
    if PICTURED.intersection(facets):
        texts = [{"type": "text", "content": text} for text in content["body"]]
        fields["body"] = texts + [{"type": "image", "url": photo} for photo in photos]
    return fields
