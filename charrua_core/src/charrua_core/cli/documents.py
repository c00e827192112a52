"""`charrua hooks`, `conformance` and `help`: documents printed from what is installed."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import click

from charrua_core import hookspecs
from charrua_core.app import App
from charrua_core.budgets import BUDGETS
from charrua_core.cli.running import start_of, table
from charrua_core.dicom import ServiceClass
from charrua_core.dicom.configured import limits_of
from charrua_core.dicom.conformance import conformance_statement
from charrua_core.hooks import IN_LINE, Hooks, hook_names
from charrua_core.services.loop import run

_WIDTH = 100  # characters of a line of help in the reference


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
    how += f" {_limit(name)}" if name in BUDGETS else ""
    return f"## `{name}`\n\n```python\n{signature}\n```\n\n{prose.strip()}\n\n{how}\n\n```python\n{code}\n```\n"


def _limit(name: str) -> str:
    budget = BUDGETS[name]
    late = "an error in the log" if name in IN_LINE else "a failure, and the call is left to itself"
    return f"More than {budget.soft_s:g} s are told by `charrua plugins`, more than {budget.hard_s:g} s are {late}."


@click.command()
@click.option(
    "--database", is_flag=True, help="By the settings in the database, too: the statement of this very archive."
)
def conformance(database: bool) -> None:
    """Print the DICOM conformance statement of what is installed (PS3.2), as Markdown."""
    start = start_of()

    async def of_the_archive() -> None:
        async with App.opened(start) as app:
            click.echo(_statement(app))

    if database:
        run(of_the_archive)
    else:
        click.echo(_statement(App(start, (), {})))


def _statement(app: App) -> str:
    services = app.hooks.gather_of(ServiceClass, "dimse_services", app=app)
    return conformance_statement(services, limits_of(app.settings))


@click.command("help")
@click.option("--docs", is_flag=True, help="Print the reference of all commands, as Markdown.")
@click.pass_context
def show_help(ctx: click.Context, docs: bool) -> None:
    """Show what can be commanded."""
    root = ctx.find_root()
    if not docs:
        click.echo(root.get_help())
        return
    how: dict[str, Any] = {
        "help_option_names": root.help_option_names,
        "terminal_width": _WIDTH,
        "max_content_width": _WIDTH,
    }
    click.echo("\n".join(_sections(click.Context(root.command, info_name="charrua", obj=root.obj, **how))).rstrip())


def _sections(ctx: click.Context) -> Iterator[str]:
    """Give the section of a command and those of its subcommands."""
    yield f"## `{ctx.command_path}`\n\n```text\n{ctx.get_help()}\n```\n"
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            inner = ctx.command.get_command(ctx, name)
            if inner is not None:
                yield from _sections(click.Context(inner, info_name=name, parent=ctx))
