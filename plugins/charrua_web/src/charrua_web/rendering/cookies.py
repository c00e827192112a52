"""What a browser keeps of its user's choices, in cookies that say nothing of anybody."""

from __future__ import annotations

from charrua_core.web import Headers

THEMES = ("dark", "light")
THEME = "charrua-theme"


def cookie(headers: Headers, name: str) -> str:
    """Give the value of a cookie, "" where there is none."""
    for one in headers.get("cookie").replace(",", ";").split(";"):
        found, _, value = one.strip().partition("=")
        if found == name:
            return value
    return ""


def theme_of(headers: Headers) -> str:
    """Give the theme that was chosen, "" where the system's is followed."""
    chosen = cookie(headers, THEME)
    return chosen if chosen in THEMES else ""
