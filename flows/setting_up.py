"""Gives a server its pool, deployments and automation; run as a program once it is up, one for all three."""

from __future__ import annotations

import asyncio
import sys

from prefect.cli import app

from flows.zombies import install


def main(pool: str) -> None:
    _prefect("work-pool", "create", pool, "--type", "process", "--overwrite")
    _prefect("deploy", "--all", "--no-prompt")
    asyncio.run(install())


def _prefect(*words: str) -> None:
    """One command of Prefect's own; what fails there ends this process with its code."""
    sys.argv = ["prefect", *words]
    try:
        app()
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main(sys.argv[1])
