"""The way in: the page at which people log in, the one that asks for a new password, and where they come to then."""

from __future__ import annotations

from charrua_core.web import PUBLIC, Page, Request, Response, Shown
from charrua_web.callers import CALLER
from charrua_web.rendering.words import N_

HOME = "/studies"
WHY = {
    "idle": N_("You were logged out because nothing was done for a while."),
    "left": N_("You were logged out in another window."),
    "changed": N_("Your password was changed. Log in with the new one."),
}
"""What the log-in page says before anything else, by the word in its address."""


async def show_log_in(request: Request) -> Shown | Response:
    """Show the form; who is logged in goes on to where they wanted."""
    wanted = within(request.query.first("next"))
    if request.context[CALLER].session and request.identity.permissions - {"change_password"}:
        return Response(303, headers=(("location", wanted),))
    return {"next": wanted, "why": WHY.get(request.query.first("why"), "")}


async def show_password(request: Request) -> Shown:
    """Show the form for a new password; `must`: before anything else."""
    return {
        "next": within(request.query.first("next")),
        "must": request.identity.permissions == {"change_password"},
        "shortest": request.app.settings["password_length"],
    }


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
    Page("/password", "charrua_web/password.html", show_password, "change_password", "Change your password"),
)
