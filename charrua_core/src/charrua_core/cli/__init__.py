"""The command line `charrua`: core's commands and those of the plugins."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence

import click

from charrua_core.cli.commands import OWN, own
from charrua_core.errors import CharruaError
from charrua_core.services.start import Start

__all__ = ["Charrua", "main"]


class Charrua(click.Group):
    """The group of all commands; plugins are loaded for what is none of core's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands of core and of all plugins."""
        return sorted(self._all(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command of this name; core's own without a look at the others."""
        return own(cmd_name) if cmd_name in OWN else self._all(ctx).get(cmd_name)

    def _all(self, ctx: click.Context) -> MutableMapping[str, click.Command]:
        # Core's come last in the order of hooks, so that no plugin takes the place of one of them.
        found = ctx.ensure_object(Start).hooks().gather_of(click.Command, "cli_commands") if not self.commands else ()
        for command in found:
            self.add_command(command)
        return self.commands


@click.group(cls=Charrua, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--without", "_without", metavar="PLUGIN", multiple=True, help="Leave a plugin out (repeatable).")
def charrua(_without: tuple[str, ...]) -> None:
    """Charrua, a PACS. Settings come from CHARRUA_… variables, the database and charrua.toml."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what goes wrong is one line on standard error, and status 1 (2 for wrong usage)."""
    given, without = _split(sys.argv[1:] if arguments is None else arguments)
    start = Start.from_env(os.environ, without)
    try:
        charrua.main(given, prog_name="charrua", obj=start)
    except CharruaError as error:
        click.echo(f"charrua: {error}", err=True)
        sys.exit(1)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take `--without NAME` out, wherever it stands: plugins are loaded before their commands can be parsed."""
    rest: list[str] = []
    without: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*rest, argument, *waiting], without
        if argument == "--without":
            without += [next(waiting, "")]
        elif argument.startswith("--without="):
            without.append(argument.removeprefix("--without="))
        else:
            rest.append(argument)
    return rest, [name for name in without if name]
