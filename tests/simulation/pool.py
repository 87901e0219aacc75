"""A pool of one that works while it is given the work, and whose answers come in an order the seed knows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Numbered(Future[Any]):
    """A future that sets order by its number: by address, two runs of one seed would settle in another order."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __hash__(self) -> int:
        return self._number


class OneByOne(Executor):
    def __init__(self, workers: int = 1) -> None:
        del workers
        self._given = 0

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._given += 1
        future = Numbered(self._given)
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # as any pool: the one who asks for the result gets it
            future.set_exception(error)
        return future
