"""All of core's commands."""

from __future__ import annotations

import click

from charrua_core.cli.archive import archive
from charrua_core.cli.database import database
from charrua_core.cli.documents import conformance, hooks, show_help
from charrua_core.cli.peers import peer
from charrua_core.cli.people import token, user
from charrua_core.cli.plugin import plugin
from charrua_core.cli.server import plugins, restart, serve, settled, status, version
from charrua_core.cli.settings import settings

COMMANDS: list[click.Command] = [
    archive,
    conformance,
    database,
    hooks,
    peer,
    plugin,
    plugins,
    restart,
    serve,
    settings,
    settled,
    show_help,
    status,
    token,
    user,
    version,
]
