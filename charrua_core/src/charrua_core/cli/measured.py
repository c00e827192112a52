"""`charrua metrics`: what the running server has measured, and the reference of all that is."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrua_core.cli.running import start_of, with_app
from charrua_core.metrics import DECLARED, Bound, Declaration
from charrua_core.services.lock import ServerLock

if TYPE_CHECKING:
    from charrua_core.app import App

_DECLARES = ("metrics.counter(", "metrics.gauge(", "metrics.histogram(", "metrics.reading(")


@click.command()
@click.option("--docs", is_flag=True, help="Print the reference of all metrics, as Markdown.")
def metrics(docs: bool) -> None:
    """Print what the running server has measured, as Prometheus reads it; counts are up to two seconds old."""
    if docs:
        click.echo(reference(all_declared(start_of().hooks().packages())))
    else:
        _exposition()


@with_app
async def _exposition(app: App) -> None:
    if ServerLock(app.data_dir).holder() is None:
        raise click.ClickException(f"no server runs in {app.data_dir}")
    click.echo(await app.metrics.exposition(), nl=False)


def reference(declarations: Iterable[Declaration]) -> str:
    """Give a table of metrics."""
    head = ["| Metric | Kind | What | Labels |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *map(_row, declarations)])


def all_declared(packages: Iterable[str]) -> list[Declaration]:
    """Give all metrics that these packages declare, by name."""
    for package in packages:
        for module in _declaring(package):
            importlib.import_module(module)
    return [declared for _, declared in sorted(DECLARED.items())]


def _declaring(package: str) -> Iterator[str]:
    """Name the modules of a package that declare metrics, many of which are imported late or never by a command."""
    for root in getattr(importlib.import_module(package), "__path__", ()):
        for path in sorted(Path(root).rglob("*.py")):
            if "template" not in path.parts and any(call in path.read_text() for call in _DECLARES):
                parts = path.relative_to(root).with_suffix("").parts
                yield ".".join([package, *(part for part in parts if part != "__init__")])


def _row(declared: Declaration) -> str:
    kind = f"{declared.kind}, read at the scrape" if declared.at_scrape else declared.kind
    labels = [f"`{label}`: {_shown(values)}" for label, values in declared.labels.items()]
    if declared.kind == "gauge" and not declared.at_scrape:
        labels.append(f"`process`: {Bound.PROCESSES}")
    return f"| `{declared.name}` | {kind} | {declared.text} | {'; '.join(labels)} |"


def _shown(values: object) -> str:
    return str(values) if isinstance(values, Bound) else ", ".join(f"`{value}`" for value in values)  # type: ignore[attr-defined]
