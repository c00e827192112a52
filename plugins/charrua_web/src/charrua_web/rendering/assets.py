"""What Vite has built: the files of each entry of the front end, by the manifest."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

BUILT = Path(__file__).parents[1] / "static" / "built"
AT = "/static/built/"


class Assets:
    """Scripts and styles that the entries of the front end need. None of them where it was not built."""

    def __init__(self, folder: Path = BUILT) -> None:
        self._folder = folder

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self._folder / "manifest.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return known

    @property
    def built(self) -> bool:
        """Whether there is a front end."""
        return bool(self._manifest)

    def script(self, entry: str) -> str:
        """Give the address of an entry's script: of `pages/main.ts`, or of a path that is one already."""
        if entry.startswith("/"):
            return entry
        found = self._manifest.get(f"src/{entry}")
        return AT + found["file"] if found else ""

    def styles(self, entry: str) -> list[str]:
        """Give the addresses of its style sheets, those of the chunks that it imports before its own."""
        found: dict[str, None] = {}
        self._gather(f"src/{entry}", found, set())
        return [AT + name for name in found]

    def _gather(self, key: str, found: dict[str, None], seen: set[str]) -> None:
        chunk = self._manifest.get(key)
        if chunk is None or key in seen:
            return
        seen.add(key)
        for imported in chunk.get("imports", ()):
            self._gather(imported, found, seen)
        found.update(dict.fromkeys(chunk.get("css", ())))
