"""Sending stored objects to other AEs: routes become durable jobs in the lane of their destination (hook route_destination)."""

from __future__ import annotations

from charrua_core.sending.contexts import carried, in_associations
from charrua_core.sending.queue import FOLLOWER, SETTINGS, route, send_study
from charrua_core.sending.sender import SendFailed, send_job

__all__ = ["FOLLOWER", "SETTINGS", "SendFailed", "carried", "in_associations", "route", "send_job", "send_study"]
