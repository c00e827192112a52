"""`charrua settings`: what is set, from where, and how to change it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from charrua_core import logs
from charrua_core.app import App, change_setting, migrations_of
from charrua_core.cli.running import operator, start_of, table, with_app
from charrua_core.db import Database
from charrua_core.services.loop import run
from charrua_core.settings import Setting


@click.group(invoke_without_command=True)
@click.option("--docs", is_flag=True, help="Print the reference of all settings, as Markdown.")
@click.pass_context
def settings(ctx: click.Context, docs: bool) -> None:
    """Settings of core and of all plugins."""
    if docs:
        click.echo(reference(start_of().hooks().gather_by_plugin("settings")))
    elif ctx.invoked_subcommand is None:
        ctx.invoke(get)


@settings.command("get")
@click.argument("name", required=False)
@with_app
async def get(app: App, name: str | None) -> None:
    """Print a setting's value, or all with where each comes from."""
    if name is not None:
        declared = app.settings.declaration(name)
        click.echo(declared.show(app.settings.found(name)[0]))
        return
    found = [(setting, *app.settings.found(each)) for each, setting in sorted(app.settings.declarations.items())]
    table([(setting.name, setting.show(value), source) for setting, value, source in found], "NAME", "VALUE", "FROM")


@settings.command("set")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--default", "forget", is_flag=True, help="Take the value out of the database again.")
def put(name: str, value: str | None, forget: bool) -> None:
    """Write a setting to the database."""
    if (value is None) != forget:
        raise click.UsageError("give a value, or --default")
    logs.configure(0)
    run(lambda: _put(name, value))


async def _put(name: str, value: str | None) -> None:
    # Without opening the whole archive: a wrong value in the database must not keep one from putting it right.
    start = start_of()
    hooks = start.hooks()
    known = start.settings(hooks)
    known.refuse_local(name)
    start.data_dir(known)
    db = await Database.open(known)
    try:
        await db.upgrade(migrations_of(hooks))
        await change_setting(db, known, name, value, by=operator())
    finally:
        await db.close()
    declared = known.declaration(name)
    click.echo(
        f"{name} is set; {'it works at once' if declared.effect == 'now' else 'it works from the next start on'}"
    )
    if declared.variable in start.env:
        click.echo(f"but {declared.variable} is set in the environment, which counts more", err=True)


_KINDS: dict[Any, str] = {
    bool: "on or off",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    timedelta: "duration",
    tuple: "words",
}


def reference(declared: Iterable[tuple[str, Setting]]) -> str:
    """Give the reference of the settings, as Markdown."""
    lines: list[str] = []
    plugins: dict[str, list[Setting]] = {}
    for plugin, setting in declared:
        plugins.setdefault(plugin, []).append(setting)
    for plugin, found in sorted(plugins.items(), key=lambda pair: (pair[0] != "core", pair[0])):
        lines += [f"## {plugin}", ""]
        for setting in found:
            lines += _section(setting)
    return "\n".join(lines).rstrip()


def _section(setting: Setting) -> list[str]:
    kind = _KINDS[setting.type]
    bounds = [f"at least {setting.minimum:g}"] if setting.minimum is not None else []
    bounds += [f"at most {setting.maximum:g}"] if setting.maximum is not None else []
    bounds += [f"one of {', '.join(f'`{c}`' for c in setting.choices)}"] if setting.choices and kind != "words" else []
    bounds += [f"any of {', '.join(f'`{c}`' for c in setting.choices)}"] if setting.choices and kind == "words" else []
    facts = [
        f"{kind}{f' in {setting.unit}' if setting.unit else ''}{', ' if bounds else ''}{', '.join(bounds)}",
        f"default {_default(setting)}",
        "takes effect at once" if setting.effect == "now" else "takes effect at the next start",
        *(["environment and `charrua.toml` only"] if setting.local else []),
        f"since {setting.since}",
    ]
    return [f"### `{setting.name}`", "", setting.help, "", f"*{'; '.join(facts)}.* Variable `{setting.variable}`.", ""]


def _default(setting: Setting) -> str:
    if setting.default is None or setting.default == "":
        return "empty"
    if setting.name == "data_dir":
        return "`~/charrua`"
    return f"`{setting.show(setting.default)}`"
