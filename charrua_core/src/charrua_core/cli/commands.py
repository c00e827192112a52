"""Core's commands, each imported when it is asked for: `charrua serve` must not wait for what the others need."""

from __future__ import annotations

import importlib

import click

OWN = {
    "archive": "charrua_core.cli.archive:archive",
    "conformance": "charrua_core.cli.documents:conformance",
    "database": "charrua_core.cli.database:database",
    "destination": "charrua_core.cli.destinations:destination",
    "help": "charrua_core.cli.documents:show_help",
    "hooks": "charrua_core.cli.documents:hooks",
    "metrics": "charrua_core.cli.measured:metrics",
    "peer": "charrua_core.cli.peers:peer",
    "plugin": "charrua_core.cli.plugin:plugin",
    "plugins": "charrua_core.cli.server:plugins",
    "restart": "charrua_core.cli.server:restart",
    "serve": "charrua_core.cli.server:serve",
    "session": "charrua_core.cli.people:session",
    "settings": "charrua_core.cli.settings:settings",
    "settled": "charrua_core.cli.server:settled",
    "status": "charrua_core.cli.server:status",
    "token": "charrua_core.cli.people:token",
    "user": "charrua_core.cli.people:user",
    "version": "charrua_core.cli.server:version",
}
"""Name of the command → where it is."""


def own(name: str) -> click.Command:
    """Give one of them."""
    module, _, attribute = OWN[name].partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command
