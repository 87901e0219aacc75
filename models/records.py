"""The product as one JSON document: written when it changes, read whole by every run."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from models.catalogue import Product

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Product).decode


def snapshot_of(product: Product) -> tuple[bytes, str]:
    """The document and its hash."""
    document = _encode(product)
    return document, blake2b(document, digest_size=16).hexdigest()


def product_of(snapshot: bytes) -> Product:
    return _decode(snapshot)
