"""Metrics for Prometheus: declared beside what feeds them, kept in memory, summed over all processes."""

from __future__ import annotations

from charrua_core.metrics.declared import (
    DECLARED,
    SECONDS,
    Bound,
    Declaration,
    Read,
    Reading,
    counter,
    gauge,
    histogram,
    reading,
)
from charrua_core.metrics.families import CONTENT_TYPE, Families, read_families, rendered
from charrua_core.metrics.published import Published, tidy

__all__ = [
    "CONTENT_TYPE",
    "DECLARED",
    "SECONDS",
    "Bound",
    "Declaration",
    "Families",
    "Published",
    "Read",
    "Reading",
    "counter",
    "gauge",
    "histogram",
    "read_families",
    "reading",
    "rendered",
    "tidy",
]
