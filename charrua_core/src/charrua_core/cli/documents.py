"""`charrua hooks` and `charrua conformance`: documents printed from what is installed."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import click

from charrua_core import hookspecs
from charrua_core.app import App
from charrua_core.cli.running import start_of, table, with_app
from charrua_core.hooks import IN_LINE, Hooks, hook_names


@click.command()
@click.option("--docs", is_flag=True, help="Print the reference of all hooks, as Markdown.")
def hooks(docs: bool) -> None:
    """List the hooks and which plugins implement them."""
    if docs:
        click.echo("\n".join(_section(name) for name in hook_names()).rstrip())
        return
    loaded = start_of().hooks()
    table([(name, _implementers(loaded, name)) for name in hook_names()], "HOOK", "PLUGINS")


def _implementers(loaded: Hooks, name: str) -> str:
    return " ".join(one.plugin for one in loaded.implementations(name))


def _section(name: str) -> str:
    function: Callable[..., Any] = getattr(hookspecs, name)
    prose, _, example = inspect.cleandoc(function.__doc__ or "").partition("\n    @hookimpl")
    code = textwrap.dedent(f"    @hookimpl{example}").strip()
    arguments = ", ".join(str(parameter) for parameter in inspect.signature(function).parameters.values())
    signature = f"{name}({arguments.replace(chr(39), '')}) -> {inspect.signature(function).return_annotation}"
    how = "Called in line." if name in IN_LINE else "`async def` runs on the loop, plain `def` in a worker thread."
    return f"## `{name}`\n\n```python\n{signature}\n```\n\n{prose.strip()}\n\n{how}\n\n```python\n{code}\n```\n"


@click.command()
@with_app
async def conformance(app: App) -> None:
    """Print the DICOM conformance statement of what is installed (PS3.2), as Markdown."""
    from charrua_core.dicom import conformance_statement

    click.echo(conformance_statement(app.hooks.gather("dimse_services", app=app), app.limits))
