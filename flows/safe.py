"""Secrets at rest: encrypted with a key that lies elsewhere than the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, MultiFernet

from flows.settings import Settings
from models.faultpoint import fp


class Safe:
    """Encrypts secrets with a key that does not lie in the database; older keys still open what they closed."""

    def __init__(self, settings: Settings) -> None:
        given = settings.key.get_secret_value()
        keys = given.split(",") if given else [_key_file(settings.place / "secret.key")]
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])

    def close(self, values: Mapping[str, Any]) -> bytes:
        return self._fernet.encrypt(msgspec.json.encode(values))

    def open(self, ciphertext: bytes) -> dict[str, Any]:
        return msgspec.json.decode(self._fernet.decrypt(ciphertext), type=dict[str, Any])


def _key_file(path: Path) -> str:
    """The key beside the database's folder, made once with mode 0600: under its name it is whole, or not there."""
    if not path.exists():
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
            os.fsync(file.fileno())
        fp("key.written")
        with suppress(FileExistsError):  # another process was faster: its key is the one
            path.hardlink_to(part)
        part.unlink()
        fp("key.placed")
    return path.read_text()
