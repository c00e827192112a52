"""The way in: the page at which people log in, and where they come to then."""

from __future__ import annotations

from charrua_core.web import PUBLIC, Page, Request, Response, Shown

HOME = "/studies"


async def show_log_in(request: Request) -> Shown | Response:
    """Show the form; who is logged in goes on to where they wanted."""
    wanted = within(request.query.first("next"))
    if request.identity.permissions - {"change_password"}:
        return Response(303, headers=(("location", wanted),))
    return {"next": wanted}


async def show_home(_request: Request) -> Response:
    """Lead to the studies."""
    return Response(303, headers=(("location", HOME),))


def within(path: str) -> str:
    """Give a path of this server that a link named, HOME for anything else: no link leads from here to another site."""
    one_slash = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if one_slash and path.isprintable() else HOME


PAGES = (
    Page("/", "charrua_web/error.html", show_home, "query", "Studies"),
    Page("/login", "charrua_web/login.html", show_log_in, PUBLIC, "Log in"),
)
