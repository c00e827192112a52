"""Sending stored objects elsewhere: routes become durable jobs in the lane of their destination (hook route_destination)."""

from __future__ import annotations

from charrua_core.sending.contexts import carried, in_associations
from charrua_core.sending.delivered import had
from charrua_core.sending.destinations import CHANNEL, Destinations
from charrua_core.sending.kinds import NEVER, DestinationKind, Outcome, SendFailed, Sending, State
from charrua_core.sending.on_the_way import BY_NUMBER, ON_THE_WAY, check_on_the_way
from charrua_core.sending.queue import FOLLOWER, KIND, SETTINGS, lane_of, route, send_new, send_study
from charrua_core.sending.sender import send_job

__all__ = [
    "BY_NUMBER",
    "CHANNEL",
    "FOLLOWER",
    "KIND",
    "NEVER",
    "ON_THE_WAY",
    "SETTINGS",
    "DestinationKind",
    "Destinations",
    "Outcome",
    "SendFailed",
    "Sending",
    "State",
    "carried",
    "check_on_the_way",
    "had",
    "in_associations",
    "lane_of",
    "route",
    "send_job",
    "send_new",
    "send_study",
]
