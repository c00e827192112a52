"""A page as PDF or picture, set by typst with the Noto fonts of this installation: the same on every machine.

All that a document says reaches typst as data, never as markup. The fonts cover Latin, Greek, Cyrillic, Arabic, Hebrew,
Chinese, Japanese, Korean, Thai and the scripts of India; right-to-left text runs as it should.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import orjson
import typst

from charrua_core.errors import DocumentTooLarge, DocumentUnreadable
from charrua_core.imaging.documents.page import LONG_PAIR, Block, Drawing, Facts, Grid, Page

_FONT_PACKAGES = ("manimgx_fonts", "noto_cjk_sans_otc")
_CJK = ("Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK SC", "Noto Sans CJK TC")
_CJK_OF = {"ko": "Noto Sans CJK KR", "zh": "Noto Sans CJK SC", "zh-TW": "Noto Sans CJK TC", "zh-HK": "Noto Sans CJK TC"}
_ZERO_WIDTH_SPACE = "\u200b"
_WORD, _NARROW_WORD = (re.compile(rf"[^\s\u200b]{{{length}}}(?=[^\s\u200b])") for length in (48, 20))
"""More than fits into a line of running text, and into a column."""
_MOST_LINES = 12_000
_MOST_CHARACTERS = 4 << 20
_ANCHORS = {"anchor", "target"}
PREVIEW_DOTS_PER_INCH = 110.0


def write_pdf(page: Page) -> bytes:
    """The page as a PDF on A4, its text searchable, its structure tagged."""
    return _compiled(page, "pdf")[0]


def write_png(page: Page, dots_per_inch: float = PREVIEW_DOTS_PER_INCH) -> bytes:
    """The first sheet as a picture, 8 bits RGBA: 909 × 1286 pixels upright as a rule."""
    return _compiled(page, "png", dots_per_inch)[0]


_FROM_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


def _compiled(page: Page, form: Literal["pdf", "png"], dots_per_inch: float | None = None) -> list[bytes]:
    _check_lines(page)
    data = orjson.dumps(_data(page)).decode()
    if len(data) - sum(len(block.svg) for block in page.blocks if isinstance(block, Drawing)) > _MOST_CHARACTERS:
        raise DocumentTooLarge("the document has too much text for print; have it as HTML")
    inputs = {
        "page": data,
        "fonts": orjson.dumps(_families(page.language)).decode(),
        "both-ways": "yes" if _FROM_RIGHT.search(data) else "",  # to look at every text takes as long as all the rest
    }
    folder = files(__package__)
    compiler = typst.Compiler(
        str(folder.joinpath("page.typ")),
        root=str(folder),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs=inputs,
    )
    try:
        made = compiler.compile(format=form, ppi=dots_per_inch)
    except typst.TypstError as error:
        raise DocumentUnreadable("the page cannot be set") from error
    return made if isinstance(made, list) else [made or b""]


def _check_lines(page: Page) -> None:
    """Raise DocumentTooLarge for what would take a worker more time and memory than it has: 12 000 lines take 3 s, 900 MB."""
    lines = sum(len(block.facts) for block in page.blocks if isinstance(block, Facts))
    cells = sum(len(block.rows) * len(block.columns) for block in page.blocks if isinstance(block, Grid))
    if lines + cells / 2 > _MOST_LINES:
        raise DocumentTooLarge(f"the document has more than {_MOST_LINES} lines, too many for print; have it as HTML")


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    paths = [str(files(package)) for package in _FONT_PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)


def _families(language: str) -> list[str]:
    """The font families in the order in which a character is looked for; ideographs have the shape of the language."""
    own = _CJK_OF.get(language[:5]) or _CJK_OF.get(language[:2]) or _CJK[0]
    first = ["Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai", "Noto Sans Devanagari"]
    return [*first, own, *(family for family in _CJK if family != own), "Noto Sans Symbols"]


def _data(page: Page) -> dict[str, Any]:
    """The page as the template wants it."""
    language, _, region = (page.language or "en").partition("-")
    subject = dict(page.subject)
    return {
        "title": _breakable(page.title),
        "lang": language.lower(),
        "region": region.upper() if len(region) == 2 else None,
        "landscape": page.landscape,
        "long-pair": LONG_PAIR,
        "columns": 6 if page.landscape else 3,
        "headline": _breakable("  ".join(subject[label] for label in ("Patient", "Patient ID") if label in subject)),
        "subject": _breakable(page.subject, _NARROW_WORD),
        "state": _breakable(page.state, _NARROW_WORD),
        "warning": page.warning,
        "foot": page.foot,
        "blocks": [_block(block) for block in page.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    told = asdict(block)
    kept = {name: told.pop(name) for name in ("svg", "anchors") if name in told}
    return {
        "kind": type(block).__name__.lower(),
        **_breakable(told, _NARROW_WORD if isinstance(block, Grid) else _WORD),
        **kept,
    }


def _breakable(told: Any, word: re.Pattern[str] = _WORD) -> Any:
    """All texts with places to break in words that no line would hold; anchors stay as they are."""
    if isinstance(told, str):
        return word.sub(lambda found: found[0] + _ZERO_WIDTH_SPACE, told)
    if isinstance(told, dict):
        return {name: value if name in _ANCHORS else _breakable(value, word) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_breakable(one, word) for one in told]
    return told
