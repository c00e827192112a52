"""A page as one HTML file: no script, nothing fetched, every text escaped; for a dim reading room, a bright one and paper.

The only style is the sheet beside this module; `POLICY` admits it and nothing else, so that a web server can send the page
under the strictest Content-Security-Policy.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from charrua_core.imaging.documents.page import LONG_PAIR, Block, Drawing, Fact, Facts, Grid, Heading, Page, Prose

STYLE = files(__package__).joinpath("page.css").read_text("utf-8")
_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy under which the page is whole."""

_RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"}
_DEEPEST_HEADING = 6


def write_html(page: Page) -> bytes:
    """The page in UTF-8."""
    language = page.language or "en"
    direction = "rtl" if language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"
    parts = [
        f'<!DOCTYPE html>\n<html lang="{escape(language)}" dir="{direction}">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        '<meta name="color-scheme" content="dark light">\n',
        f"<title>{escape(page.title)}</title>\n<style>{STYLE}</style>\n</head>\n",
        f'<body{" class=wide" if page.landscape else ""}>\n<main>\n<header>\n<h1 dir="auto">{escape(page.title)}</h1>\n',
        *_pairs(page.subject, "subject"),
        *_pairs(page.state, "state"),
        f'<p class="warning">{escape(page.warning)}</p>\n' if page.warning else "",
        "</header>\n",
        *(part for block in page.blocks for part in _block(block)),
        f"<footer>{escape(page.foot)}</footer>\n" if page.foot else "",
        "</main>\n</body>\n</html>\n",
    ]
    return "".join(parts).encode()


def _pairs(pairs: Iterable[tuple[str, str]], kind: str) -> Iterator[str]:
    told = [_pair(label, text) for label, text in pairs]
    if told:
        yield f'<dl class="{kind}">\n'
        yield from told
        yield "</dl>\n"


def _pair(label: str, text: str) -> str:
    long = " class=long" if len(text) > LONG_PAIR else ""
    return f'<div{long}><dt>{escape(label)}</dt><dd dir="auto">{escape(text)}</dd></div>\n'


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            level = min(block.level + 1, _DEEPEST_HEADING)
            yield f'<h{level}{_id(block.anchor)} dir="auto">{escape(block.text)}{_notes(block.notes)}</h{level}>\n'
        case Facts():
            yield f'<table class="facts{" muted" if block.muted else ""}">\n'
            yield from map(_fact, block.facts)
            yield "</table>\n"
        case Prose():
            yield f"<section{_id(block.anchor)} class=prose>\n"
            yield f'<h6 dir="auto">{escape(block.name)}{_notes(block.notes)}</h6>\n' if block.name else ""
            yield f'<p dir="auto">{escape(block.text)}</p>\n</section>\n'
        case Grid():
            yield from _grid(block)
        case Drawing():
            yield f'<figure aria-label="{escape(block.label)}">\n{block.svg}\n</figure>\n'


def _fact(fact: Fact) -> str:
    text = escape(fact.text)
    text = f'<a href="#{escape(fact.target)}">{text}</a>' if fact.target else text
    small = "".join(f"<li>{escape(line)}</li>" for line in fact.small)
    small = f"<ul class=small>{small}</ul>" if small else ""
    name = f'<th scope="row" class="d{min(fact.depth, 6)}" dir="auto">{escape(fact.name)}</th>'
    return f"<tr{_id(fact.anchor)}>{name}<td dir=auto>{text}{_notes(fact.notes)}{small}</td></tr>\n"


def _grid(grid: Grid) -> Iterator[str]:
    yield "<table class=grid>\n"
    yield f'<caption dir="auto">{escape(grid.name)}</caption>\n' if grid.name else ""
    heads = "".join(f'<th scope="col" dir="auto">{escape(column)}</th>' for column in grid.columns)
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    for number, row in enumerate(grid.rows):
        anchor = grid.anchors[number] if grid.anchors else ""
        cells = "".join(f"<td dir=auto>{escape(cell)}</td>" for cell in row[1:])
        yield f'<tr{_id(anchor)}><th scope="row" dir="auto">{escape(row[0])}</th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n"


def _notes(notes: Iterable[str]) -> str:
    return "".join(f' <span class=note dir="auto">{escape(note)}</span>' for note in notes)


def _id(anchor: str) -> str:
    return f' id="{escape(anchor)}"' if anchor else ""
