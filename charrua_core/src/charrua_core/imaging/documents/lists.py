"""A table as a document: a list of studies to print."""

from __future__ import annotations

from collections.abc import Sequence

from charrua_core.imaging.documents.page import Grid, Page


def list_pdf(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], warning: str = "", foot: str = ""
) -> bytes:
    """The table as a PDF on A4 across; blocks, so call it by `app.imaging.run`. Raises DocumentTooLarge."""
    from charrua_core.imaging.documents import typeset  # the worker process loads it, the server does not

    grid = Grid(tuple(columns), tuple(tuple(row) for row in rows))
    page = Page(title, (), warning=warning, blocks=(grid,), foot=foot, landscape=True)
    return typeset.write_pdf(page)
