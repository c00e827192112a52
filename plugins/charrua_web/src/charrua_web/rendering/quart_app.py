"""The Quart application behind the pages: templates of all plugins, the files of the front end, and paths that nobody has."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from jinja2 import PackageLoader, PrefixLoader
from markupsafe import escape
from quart import Quart, request, send_from_directory
from quart import Response as Answer
from werkzeug.exceptions import HTTPException

from charrua_core.errors import CharruaError
from charrua_core.web import Headers, HttpError, Response, problem
from charrua_web.rendering import words
from charrua_web.rendering.filters import FILTERS

STATIC = Path(__file__).parents[1] / "static"
FOR_EVER = "public, max-age=31536000, immutable"
"""How long browsers keep a file whose name changes with what is in it."""
OF_FILES = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' blob: data:; style-src 'self'; "
    "frame-ancestors 'none'"
)
"""The policy of a file, which holds for it where it runs as a worker: decoders of images compile WebAssembly there."""
_PLACE = re.compile(r"%\(\w+\)s")
Lost = Callable[[Headers, CharruaError], Awaitable[Response]]


def make_quart(packages: Sequence[str], lost: Lost) -> Quart:
    """Give the application; `lost` makes the page that tells of an error."""
    quart = Quart("charrua_web", static_folder=None, template_folder=None)
    _prepare_templates(quart, packages)
    quart.add_url_rule("/static/<path:filename>", "static", _static, methods=["GET"])

    @quart.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Answer:
        reason = "there is nothing at this path" if error.code == 404 else error.description or error.name
        told = HttpError(error.code or 500, reason)
        headers = Headers((name.encode(), value.encode("latin_1")) for name, value in request.headers.items())
        by_people = "text/html" in headers.get("accept")
        response = await lost(headers, told) if by_people else problem(told)
        answer = Answer(response.body, status=response.status, content_type=response.content_type)
        answer.headers.extend(list(response.headers))
        return answer

    return quart


def _prepare_templates(quart: Quart, packages: Sequence[str]) -> None:
    loaders = {package: PackageLoader(package) for package in packages}
    environment = quart.jinja_env
    environment.loader = PrefixLoader(loaders)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.autoescape = True
    environment.add_extension("jinja2.ext.i18n")
    environment.add_extension("jinja2.ext.do")
    environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(FILTERS)


# What `_()` gives is markup to Jinja2, and its percent signs are places of values. Texts have no markup of their own: escaped
# here, one that was not ours but came from people is text as everywhere else.
def _gettext(english: str) -> str:
    return _as_text(words.gettext(english))


def _ngettext(one: str, many: str, number: int) -> str:
    return _as_text(words.ngettext(one, many, number))


def _as_text(text: str) -> str:
    return str(escape(text if _PLACE.search(text) else text.replace("%", "%%")))


async def _static(filename: str) -> Answer:
    """A file of the front end, packed where the browser takes gzip and the build has packed it."""
    packed = bool(request.accept_encodings["gzip"]) and (STATIC / f"{filename}.gz").is_file()
    answer: Answer = await send_from_directory(STATIC, f"{filename}.gz" if packed else filename)
    if packed:
        plain = await send_from_directory(STATIC, filename)
        answer.content_type = plain.content_type
        answer.headers["content-encoding"] = "gzip"
    answer.headers["vary"] = "Accept-Encoding"
    answer.headers["cache-control"] = FOR_EVER if filename.startswith("built/assets/") else "no-cache"
    answer.headers["content-security-policy"] = OF_FILES
    return answer
