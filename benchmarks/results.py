"""Collects figures of interleaved runs and prints them, and the ratios that the goals are about."""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.goals import Goal


@dataclass
class Results:
    """Every figure by what was measured and on whom."""

    figures: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, metric: str, contestant: str, value: float) -> None:
        """Note one run's figure."""
        self.figures[metric][contestant].append(value)
        print(f"  {contestant:16} {metric:44} {value:10.2f}", file=sys.stderr, flush=True)

    def median(self, metric: str, contestant: str) -> float | None:
        """The median over the runs; None when it was not measured."""
        values = self.figures.get(metric, {}).get(contestant)
        return statistics.median(values) if values else None

    def contestants(self) -> list[str]:
        """Everyone measured, in the order of first appearance."""
        return list(dict.fromkeys(name for by_name in self.figures.values() for name in by_name))


def figures_table(results: Results) -> str:
    """Medians, a row for each metric and a column for each contestant."""
    names = results.contestants()
    rows = [
        [metric, *("" if (value := results.median(metric, name)) is None else _short(value) for name in names)]
        for metric in results.figures
    ]
    return aligned([["median of the runs", *names], *rows])


def ratio_table(results: Results, goals: Iterable[Goal]) -> str:
    """A row for each goal of which both sides were measured."""
    rows = []
    for goal in goals:
        ours, theirs = results.median(goal.metric, goal.ours), results.median(goal.metric, goal.theirs)
        if ours is None or theirs is None:
            continue
        reached = goal.reached(ours, theirs)
        verdict = "goal" if reached >= goal.goal else "floor" if reached >= goal.floor else "MISSED"
        columns = [goal.key, goal.metric, goal.ours, _short(ours), goal.theirs, _short(theirs)]
        rows.append([*columns, goal.shown(reached), goal.shown(goal.floor), goal.shown(goal.goal), verdict])
    header = ["", "metric", "ours", "", "theirs", "", "reached", "floor", "goal", ""]
    return aligned([header, *rows])


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows with their columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
