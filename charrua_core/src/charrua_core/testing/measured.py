"""Metrics as a test reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Measured:
    """One exposition."""

    def __init__(self, exposition: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(exposition)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def get(self, sample: str, **labels: str) -> float:
        """Give the sum of the samples of this name that have these labels, 0.0 where there are none."""
        return sum(one.value for one in self._samples if one.name == sample and labels.items() <= one.labels.items())
