"""What a page shows, whatever it is written in: headings, facts, prose, tables and drawings.

`layout.py` and `recording.py` make pages, `html.py` and `typeset.py` write them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONG_PAIR = 80
"""Characters; what is longer stands on a line of its own in the head of a page."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the first below the page's title."""

    level: int
    text: str
    notes: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value, `depth` steps below the fact that it tells more about."""

    name: str
    text: str
    depth: int = 0
    notes: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    """What few want to read, each on a line of its own: UIDs."""
    anchor: str = ""
    target: str = ""
    """The anchor of what the text refers to."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts below each other."""

    facts: tuple[Fact, ...]
    muted: bool = False
    """Who observed and in which circumstances, rather than what was found."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text under a name; line ends are kept."""

    name: str
    text: str
    notes: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a line of column names; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    name: str = ""
    anchors: tuple[str, ...] = ()
    """One for each row, or none at all."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing to scale: an SVG document without its own headline."""

    svg: str
    width_mm: float
    height_mm: float
    label: str


Block = Heading | Facts | Prose | Grid | Drawing


@dataclass(frozen=True, slots=True)
class Page:
    """A whole document. `subject` and `state` are labels with texts; `warning` stands out."""

    title: str
    subject: tuple[tuple[str, str], ...]
    state: tuple[tuple[str, str], ...] = ()
    warning: str = ""
    blocks: tuple[Block, ...] = ()
    language: str = ""
    """BCP 47 tag, empty where it is not known."""
    foot: str = ""
    landscape: bool = field(default=False, kw_only=True)
