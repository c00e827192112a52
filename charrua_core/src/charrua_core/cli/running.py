"""How a command gets the archive: opened for it, beside a running server or without one."""

from __future__ import annotations

import functools
import getpass
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from charrua_core import logs
from charrua_core.services.loop import run
from charrua_core.services.start import Start

if TYPE_CHECKING:
    from charrua_core.app import App

P = ParamSpec("P")


def start_of() -> Start:
    """Give what this command line was started with."""
    return click.get_current_context().ensure_object(Start)


def operator() -> str:
    """Give who gives the command, for the audit trail."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):
        return "command line"


def with_app(function: Callable[Concatenate[App, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a command's coroutine with the archive as its first argument."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        start = start_of()

        async def work() -> None:
            from charrua_core.app import App

            async with App.opened(start) as app:
                await function(app, *args, **kwargs)

        logs.configure(0)
        run(work)

    return command


def table(rows: list[tuple[Any, ...]], *head: str) -> None:
    """Print rows in columns."""
    texts = [head, *[tuple("" if cell is None else str(cell) for cell in row) for row in rows]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
