"""What the archive asks of a place for objects; `Volume` is the one on the local file system."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from charrua_core.errors import CharruaError
from charrua_core.storage.placing import Placing
from charrua_core.types import FileRange


@dataclass(frozen=True, slots=True)
class Health:
    """How a storage area is."""

    works: bool
    free_bytes: int
    total_bytes: int
    detail: str = ""


class StorageArea(Protocol):
    """A numbered place for objects, each under its relative path."""

    id: int

    def check(self) -> None:
        """Raise StorageFull or StorageFailed where the area does not take objects now."""

    async def place_many(self, placings: Sequence[Placing]) -> list[str | CharruaError]:
        """Put files in place for good: for each the relative path that it got, or why it has none."""

    def range(self, relative: PurePath | str, offset: int = 0, length: int | None = None) -> FileRange:
        """Give a part of an object, to be read or sent."""

    async def size_bytes(self, relative: PurePath | str) -> int | None:
        """Give the size of an object, None where there is none."""

    async def remove(self, relative: PurePath | str) -> None:
        """Remove an object for good, or find it gone."""

    def list(self) -> AsyncIterator[PurePath]:
        """Give the paths of all objects, in the order of their names."""

    async def health(self) -> Health:
        """Say how the area is."""

    def path(self, relative: PurePath | str) -> Path:
        """Give the path of an object on this machine."""
