"""The pages of receivers: all of them, and the form of one."""

from __future__ import annotations

from sqlalchemy import func, select

from charrua_core.web import Navigation, Page, Request, Shown
from charrua_hl7.marking import N_
from charrua_hl7.outgoing import receivers
from charrua_hl7.outgoing.receiver import CHARACTER_SETS, TLS_MODES, VERSIONS
from charrua_hl7.tables import message

TLS_WORDS = {
    "off": N_("off"),
    "encrypt": N_("encrypt"),
    "verify": N_("encrypt, and check its certificate"),
}
SENDS_WORDS = {"results": N_("results"), "orders": N_("state of orders")}


async def show_receivers(request: Request) -> Shown:
    """Show all receivers, with how much waits for each and how much has failed."""
    known = await receivers.every(request.app)
    unfinished = (message.c.direction == "out") & (message.c.state != "done")
    counting = select(message.c.party, message.c.state, func.count()).where(unfinished)
    async with request.app.db.reading() as connection:
        rows = await connection.execute(counting.group_by(message.c.party, message.c.state))
        counts = {(party, state): count for party, state, count in rows}
    return {"receivers": list(known.values()), "counts": counts, "tls_words": TLS_WORDS, "sends_words": SENDS_WORDS}


async def show_receiver(request: Request) -> Shown:
    """Show the form of one receiver, an empty one where the query names none."""
    name = request.query.first("name")
    return {
        "receiver": await receivers.find(request.app, name) if name else None,
        "modes": [(mode, TLS_WORDS[mode]) for mode in TLS_MODES],
        "versions": [(one, one) for one in VERSIONS],
        "character_sets": [(one, one) for one in CHARACTER_SETS],
        "sends_words": SENDS_WORDS,
    }


RECEIVER_PAGES = (
    Page(
        *("/setup/hl7/receivers", "charrua_hl7/receivers.html", show_receivers, "configure", "HL7 receivers"),
        navigation=Navigation("setup", "HL7 receivers", icon="send", order=48),
    ),
    Page(
        *("/setup/hl7/receivers/receiver", "charrua_hl7/receiver.html", show_receiver, "configure"),
        title=N_("HL7 receiver"),
    ),
)
