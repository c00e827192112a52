"""`charrua hl7`: its groups and commands stand in the rooms that they belong to."""

from __future__ import annotations

import click

from charrua_hl7.mapping.commands import mapping, try_file
from charrua_hl7.outgoing.commands import receiver


@click.group()
def hl7() -> None:
    """Messages of HL7: how they are mapped, what one becomes, and the systems that they are sent to."""


for command in (mapping, try_file, receiver):
    hl7.add_command(command)
