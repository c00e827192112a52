"""What can be asked of the archive: a query, its keys and how each of them matches (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from charrua_core.types import Level

Root = Literal["PATIENT", "STUDY"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of the values: single value matching, list of UID, multiple values; `*` and `?` stand for text where the VR has
    wildcards (PS3.4 C.2.2.2.1, .2, .4). A person's name is written with its component groups parted by `=`.
    """

    vr: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """From `low` to `high`, both included, of a DA, TM or DT; an empty end is open (PS3.4 C.2.2.2.5)."""

    vr: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class NoValue:
    """The attribute is absent or empty: empty value matching, asked by two double quotes (PS3.4 C.2.2.2.8)."""

    vr: str


@dataclass(frozen=True, slots=True)
class AnyItem:
    """One item of the sequence has all keys (PS3.4 C.2.2.2.6)."""

    keys: Mapping[str, Match]
    vr: str = "SQ"


@dataclass(frozen=True, slots=True)
class Words:
    """Each of the words stands somewhere in the value, without regard to case and accents: what people type.

    A word alone of one or two letters is looked for where the value begins: anywhere, it would be in half of them. `*` and
    `?` stand for text as elsewhere.
    """

    vr: str
    words: tuple[str, ...]


Match = OneOf | Between | NoValue | AnyItem | Words


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, at which level, and what is to be told of it. Tags are 8 upper-case hex digits.

    `limit` ends the search quietly after so many matches, `at_most` with TooManyResults when there are more; 0 is no limit.
    `offset` leaves out the first matches.
    """

    level: Level
    root: Root = "STUDY"
    keys: Mapping[str, Match] = field(default_factory=dict)
    return_keys: frozenset[str] = frozenset()
    """What each match tells; empty: all that the index holds of the level, and of the levels above."""
    return_items: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Sequence → the attributes of its items that are told; a sequence that is not named is told whole."""
    statuses: frozenset[str] = frozenset()
    """Studies of one of these (`archive.edit.status.STATUSES`), and what is below them; empty: of all."""
    relational: bool = False
    """Keys of any level, and no unique keys of the levels above needed (PS3.4 C.4.1.2.2.1)."""
    fuzzy: bool = False
    """Names match by the beginnings of their words, in any order."""
    limit: int = 0
    at_most: int = 0
    offset: int = 0
    after: str = ""
    """The UID of the study, series or image after which the matches begin, whatever has arrived since; none for patients."""
    by_number: bool = False
    """Series by Series Number and images by that and Instance Number, rather than as they arrived: for those of one study."""
    order: str = ""
    """What studies are sorted by, one of `ORDERS`; empty: the newest first."""
    ascending: bool = False
    """The other way round, where an order is named."""
    of_series: Mapping[str, Match] = field(default_factory=dict)
    """Studies that have a series, seen by the one who asks, with all of these attributes."""
    facts: bool = False
    """Whether `Found.facts` tells what the archive knows of each study beside its attributes."""
