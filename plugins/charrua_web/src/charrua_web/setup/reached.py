"""What a try to reach a remote AE came to, as a sentence with the way to mend it."""

from __future__ import annotations

from typing import Any

from charrua_core.dicom.reaching import Reached
from charrua_core.types import Peer
from charrua_web.setup.saying import N_, Said


def sentence(own: str, peer: Peer, found: Reached) -> Said:
    """Say how far it went."""
    values: dict[str, Any] = {"aet": peer.aet, "host": peer.host, "port": peer.port, "own": own, "why": found.why}
    values |= {"address": found.address, "ms": f"{found.seconds * 1000:.1f}", "timeout": f"{peer.timeout_s:g}"}
    if found.step == "association":
        return _refused(found, values)
    return Said(_SENTENCES[found.step].english, **values)


def _refused(found: Reached, values: dict[str, Any]) -> Said:
    if found.reason is None:
        return N_(
            "%(host)s:%(port)s takes the connection and then breaks it off (%(why)s). Is another program, or TLS, at this "
            "port?",
            **values,
        )
    known = _REJECTIONS.get(found.reason[1:])
    return Said(known.english if known else _REJECTED.english, **values)


_SENTENCES = {
    "address": N_("%(aet)s may come from any address and is never called: give it a host to test it."),
    "name": N_("The name %(host)s cannot be found (%(why)s). Write its address, or add the name to the DNS."),
    "connection": N_(
        "%(address)s port %(port)s cannot be reached: %(why)s. Is the device on, is this its port, and does a firewall let "
        "this archive through?"
    ),
    "tls": N_(
        "%(host)s:%(port)s is there, but TLS fails (%(why)s). Is this its port for TLS, and do both trust the other's "
        "certificate?"
    ),
    "echo": N_("%(aet)s takes the association, but the C-ECHO fails: %(why)s."),
    "done": N_("%(aet)s at %(host)s:%(port)s answers in %(ms)s ms."),
}
_REJECTED = N_("%(aet)s rejects the association: %(why)s.")
_REJECTIONS = {
    (1, 3): N_(
        "%(host)s:%(port)s is there, but does not know this archive's AE title. Add %(own)s to its list of known devices."
    ),
    (1, 7): N_(
        "%(host)s:%(port)s is there, but is not called %(aet)s. Write its AE title as it is set there, in capital and small "
        "letters."
    ),
    (3, 1): N_("%(aet)s is too busy for an association now. Try again in a little while."),
    (3, 2): N_("%(aet)s has as many associations as it takes. Try again in a little while."),
}
"""By source and reason of the rejection (PS3.8 table 9-21)."""
