"""`charrua hl7 mapping` and `charrua hl7 try`. Imported at every call of `charrua`: what is needed is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrua_core.cli.running import operator, with_app

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_hl7.mapping.store import Who

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def mapping() -> None:
    """Which field of a message becomes which attribute, by message type (ORM, OMI, OMG, SIU, ADT, ORU)."""


@mapping.command()
@click.argument("type_", metavar="TYPE")
@with_app
async def show(app: App, type_: str) -> None:
    """Print the mapping in force of a message type as JSON: `set` takes it again."""
    from charrua_hl7.mapping import store

    kept = await store.find(app, type_)
    click.echo(_pretty({"version": kept.version, "lines": [line.as_json() for line in kept.lines]}))


@mapping.command("set")
@click.argument("type_", metavar="TYPE")
@click.argument("file", type=FILE)
@click.option("--reason", default="", help="Why it is changed.")
@with_app
async def set_mapping(app: App, type_: str, file: Path, reason: str) -> None:
    """Put the lines of a JSON file in force, if the version in it is still the present one."""
    from charrua_hl7.mapping import store

    version, lines = _lines_of(file)
    present = await store.find(app, type_)
    kept = await store.save(app, _who(), type_, present.version if version is None else version, lines, reason)  # type: ignore[arg-type]
    click.echo(f"the mapping of {kept.message_type} is at version {kept.version}, {len(kept.lines)} lines")


@mapping.command()
@click.argument("type_", metavar="TYPE")
@with_app
async def reset(app: App, type_: str) -> None:
    """Go back to the default mapping of a message type."""
    from charrua_hl7.mapping import store

    present = await store.find(app, type_)
    kept = await store.reset(app, _who(), type_, present.version)
    click.echo(f"the default mapping of {kept.message_type} is in force")


@click.command("try")
@click.argument("file", type=FILE)
@click.option("--mapping", "mapping_file", type=FILE, help="A JSON file of lines, in place of the mapping in force.")
@with_app
async def try_file(app: App, file: Path, mapping_file: Path | None) -> None:
    """Print what the message of a file becomes: attributes, and which field gave each. Nothing is stored."""
    from charrua_hl7.mapping import bench, store
    from charrua_hl7.mapping.check import read_lines
    from charrua_hl7.mapping.steps import code_of
    from charrua_hl7.message import Message, split_batch

    for content in split_batch(_bytes(file)):
        message = Message.parse(content)
        kept = await store.find(app, code_of(message))
        lines = read_lines(kept.message_type, _lines_of(mapping_file)[1]) if mapping_file else kept.lines
        click.echo(_pretty(bench.tried(message, lines, app.settings["worklist_default_modality"])))


def _bytes(file: Path) -> bytes:
    return file.read_bytes()


def _who() -> Who:
    from charrua_core.types import Identity, Origin
    from charrua_hl7.mapping.store import Who

    return Who(Identity(operator(), "user", permissions=frozenset({"*"})), Origin("cli", user=operator()))


def _lines_of(file: Path) -> tuple[int | None, object]:
    """The version and the lines of a file, which has them as `show` prints them, or is a list of lines."""
    import orjson

    try:
        told = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{file} is no JSON: {error}") from error
    if isinstance(told, dict):
        version = told.get("version")
        return (version if isinstance(version, int) else None), told.get("lines")
    return None, told


def _pretty(told: object) -> str:
    import orjson

    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()
