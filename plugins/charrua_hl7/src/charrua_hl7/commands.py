"""`charrua hl7`. Imported at every call of `charrua`: what a command needs is imported when it runs."""

from __future__ import annotations

import click

from charrua_hl7.mapping.commands import mapping, try_file
from charrua_hl7.outgoing.commands import receiver


@click.group()
def hl7() -> None:
    """Messages of HL7: how they are mapped, what one becomes, and the systems that they are sent to."""


for command in (mapping, try_file, receiver):
    hl7.add_command(command)
