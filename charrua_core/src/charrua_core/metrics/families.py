"""Measured values as they are summed over processes, kept in files, and written for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from charrua_core.metrics.declared import REGISTRY, Read

__all__ = ["CONTENT_TYPE", "Families", "Family", "add", "counted", "measured", "read_families", "rendered"]

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Family:
    """The values of one metric by sample (`…_bucket`, `…_sum`) and labels."""

    kind: str
    text: str
    values: dict[tuple[str, Labels], float] = field(default_factory=dict)


Families = dict[str, Family]
"""By the metric's name, a counter's without `_total`."""


def measured(process: str) -> Families:
    """Give what this process has measured; its gauges are labelled as its own."""
    families: Families = {}
    for metric in REGISTRY.collect():
        of_it = {"process": process} if metric.type == "gauge" else {}
        family = families[metric.name] = Family(metric.type, metric.documentation)
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                family.values[sample.name, _key({**sample.labels, **of_it})] = sample.value
    return families


def read_families(reads: Iterable[Read]) -> Families:
    """Give values that were read for a scrape as families."""
    families: Families = {}
    for read in reads:
        name = read.declaration.name
        family = families.setdefault(name, Family("gauge", read.declaration.text))
        family.values[name, _key(read.labels)] = read.value
    return families


def counted(families: Families) -> Families:
    """Leave the gauges out: what they told ends with the process."""
    return {name: family for name, family in families.items() if family.kind != "gauge"}


def add(to: Families, more: Families) -> None:
    """Add values to those of the same sample and labels."""
    for name, family in more.items():
        values = to.setdefault(name, Family(family.kind, family.text)).values
        for key, value in family.values.items():
            values[key] = values.get(key, 0.0) + value


def as_json(families: Families) -> list[Any]:
    """Give plain values for a file."""
    return [
        [name, family.kind, family.text, [[sample, labels, value] for (sample, labels), value in family.values.items()]]
        for name, family in families.items()
    ]


def from_json(given: list[Any]) -> Families:
    """Take them back."""
    return {
        name: Family(kind, text, {(sample, _key(dict(labels))): value for sample, labels, value in values})
        for name, kind, text, values in given
    }


def rendered(families: Families) -> bytes:
    """Write them as Prometheus reads them (text format 0.0.4, `CONTENT_TYPE`)."""
    registry = CollectorRegistry()
    registry.register(_Given(families))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Give the families by name, those without values left out."""
        for name, family in sorted(self._families.items()):
            metric = Metric(name, family.text, family.kind)
            for (sample, labels), value in family.values.items():
                metric.add_sample(sample, dict(labels), value)
            if metric.samples:
                yield metric


def _key(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
