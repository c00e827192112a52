"""The page at which people upload; all that it does, its script does."""

from __future__ import annotations

from charrua_core.web import Navigation, Page, Request, Shown


async def show(request: Request) -> Shown:
    """Show it."""
    return {"most_bytes": request.app.settings["upload_most_bytes"]}


PAGES = (
    Page(
        "/upload",
        "charrua_web/upload.html",
        show,
        "store",
        "Upload",
        Navigation("main", "Upload", icon="upload", order=40),
    ),
)
