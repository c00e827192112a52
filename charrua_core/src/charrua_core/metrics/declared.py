"""What is measured: each metric is declared once, with its labels and all values that they can take.

A label is either a list of words or bounded by something of which an archive has few (`Bound`). Nothing that a peer or a
visitor makes up becomes one: Prometheus keeps a series for each value for ever.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of a histogram of durations."""

REGISTRY = CollectorRegistry()
"""The metrics of this process."""


class Bound(StrEnum):
    """What an archive has few of."""

    PLUGINS = "installed plugins"
    HOOKS = "hooks"
    PEERS = "known peers and other destinations"
    JOBS = "kinds of jobs"
    FOLLOWERS = "followers of the change feed"
    VOLUMES = "volumes"
    ROUTES = "routes of the web server"
    IMAGING = "functions that imaging's processes run"
    PROCESSES = "processes of the archive"
    RELEASES = "the release that runs"


Values = Bound | Collection[str]
Kind = Literal["counter", "gauge", "histogram"]

_NAME = re.compile(r"charrua(_[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A metric: name, what it says, and label → values. A gauge is of one process, whose name is its label `process`.

    `at_scrape` is a gauge of the whole archive, read when somebody asks.
    """

    name: str
    kind: Kind
    text: str
    labels: Mapping[str, Values] = field(default_factory=dict)
    at_scrape: bool = False


DECLARED: dict[str, Declaration] = {}
"""By name, all that were declared by modules imported so far."""


def counter(name: str, text: str, **labels: Values) -> Counter:
    """Declare what only grows; its name ends in `_total`."""
    return Counter(*_declared(name, "counter", text, labels), registry=REGISTRY)


def gauge(name: str, text: str, **labels: Values) -> Gauge:
    """Declare what goes up and down in each process."""
    return Gauge(*_declared(name, "gauge", text, labels), registry=REGISTRY)


def histogram(name: str, text: str, buckets: Sequence[float] = SECONDS, **labels: Values) -> Histogram:
    """Declare how often a value was within each of the bounds."""
    return Histogram(*_declared(name, "histogram", text, labels), registry=REGISTRY, buckets=buckets)


@dataclass(frozen=True, slots=True)
class Read:
    """A value that was read for a scrape; get it from `Reading.of`."""

    declaration: Declaration
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge whose values the hook `metrics` gives when somebody asks."""

    declaration: Declaration

    def of(self, value: float, **labels: str) -> Read:
        """Give one value; ValueError for other labels than were declared."""
        if labels.keys() != self.declaration.labels.keys():
            raise ValueError(f"{self.declaration.name} has the labels {sorted(self.declaration.labels)}")
        return Read(self.declaration, value, labels)


def reading(name: str, text: str, **labels: Values) -> Reading:
    """Declare a gauge of the whole archive, such as what the database counts."""
    _declared(name, "gauge", text, labels, at_scrape=True)
    return Reading(DECLARED[name])


def _declared(
    name: str, kind: Kind, text: str, labels: Mapping[str, Values], *, at_scrape: bool = False
) -> tuple[str, str, tuple[str, ...]]:
    if not _NAME.fullmatch(name) or name.endswith("_created"):
        raise ValueError(f"{name}: a metric's name is charrua_ and words in small letters")
    if name in DECLARED:
        raise ValueError(f"{name} is declared already")
    DECLARED[name] = Declaration(name, kind, text, dict(labels), at_scrape)
    return name, text, tuple(labels)


def _declare_process() -> None:
    """Linux tells these of a process; elsewhere they are missing."""
    texts: dict[str, tuple[Kind, str]] = {
        "cpu_seconds_total": ("counter", "Processor time of the archive's processes, without those of imaging."),
        "resident_memory_bytes": ("gauge", "Memory that the process takes."),
        "virtual_memory_bytes": ("gauge", "Address space that the process takes."),
        "open_fds": ("gauge", "Files and connections that the process has open."),
        "max_fds": ("gauge", "Files and connections that the process may have open."),
        "start_time_seconds": ("gauge", "When the process has started, in seconds since 1970 (UTC)."),
    }
    for name, (kind, text) in texts.items():
        _declared(f"charrua_process_{name}", kind, text, {})
    ProcessCollector(namespace="charrua", registry=REGISTRY)


_declare_process()
