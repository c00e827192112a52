"""The pages of the worklist, and in Set-up those of messages, mappings and receivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.web import Page

PAGES: Sequence[Page] = ()
