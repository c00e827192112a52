"""What can be wrong with rules."""

from __future__ import annotations

from charrua_core.errors import CharruaError


class RuleInvalid(CharruaError):
    """The rule cannot be understood."""

    http_status = 400


class RuleNotFound(CharruaError):
    """There is no such rule, or no such version of it."""

    http_status = 404


class RuleChanged(CharruaError):
    """Somebody else has changed the rule meanwhile: look at it again."""

    http_status = 409


class RuleNameTaken(CharruaError):
    """Another rule has this name."""

    http_status = 409
