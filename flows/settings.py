"""Settings from the environment, and the home: one folder that nobody else may read."""

from __future__ import annotations

import os
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.contract import REQUEST_SECONDS
from models.lease import shortest
from models.text import Lang

TOO_SHORT = (  # as every wrong setting it is said in both languages: which one was asked for may not be known
    "CAYBEO_LEASE_SECONDS = {lease:g} quá ngắn khi CAYBEO_REQUEST_SECONDS = {request:g}: cần ít nhất {least} / "
    "too short for it: at least {least} seconds"
)


class Settings(BaseSettings):
    """CAYBEO_HOME, CAYBEO_DATABASE_URL, CAYBEO_LANG, CAYBEO_LEASE_SECONDS, CAYBEO_RUN_SECONDS, CAYBEO_REQUEST_SECONDS,
    CAYBEO_KEY, CAYBEO_CONNECTORS, CAYBEO_LOG_LEVEL.
    """

    model_config = SettingsConfigDict(env_prefix="CAYBEO_", extra="ignore")

    home: Path = Path(".caybeo")
    database_url: SecretStr = SecretStr("")
    lang: Lang = "vi"
    lease_seconds: float = Field(default=60.0, ge=5, le=3600)
    run_seconds: float = Field(default=7200.0, ge=60, le=86_400)  # a run sends nothing after that
    request_seconds: float = Field(default=0.0, ge=0, le=600)  # a request's deadline; 0 = what the connector declares
    key: SecretStr = SecretStr("")  # Fernet keys, newest first, comma-separated; default: <home>/secret.key
    connectors: str = ""  # names of foreign connectors that may be loaded, comma-separated
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @field_validator("request_seconds")
    @classmethod
    def _fits_the_lease(cls, seconds: float, others: ValidationInfo) -> float:
        lease, least = others.data.get("lease_seconds"), shortest(seconds or REQUEST_SECONDS)
        if lease is not None and lease < least:
            raise ValueError(TOO_SHORT.format(lease=lease, request=seconds or REQUEST_SECONDS, least=ceil(least)))
        return seconds

    @cached_property
    def place(self) -> Path:
        """The home, made on first use with mode 0700."""
        os.umask(0o077)
        home = self.home.expanduser().absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        return home

    @property
    def url(self) -> str:
        """The database: what was set, else SQLite in the home."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.place / 'caybeo.sqlite'}"

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.connectors.split(",") if name.strip())
