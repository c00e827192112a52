"""What is wrong with the rules that are on: destinations that there are not, rules that nobody understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.types import Finding
from charrua_routing import rules
from charrua_routing.errors import RuleInvalid

if TYPE_CHECKING:
    from charrua_core.app import App


async def findings(app: App) -> list[Finding]:
    """Give what does not work, nothing where all does."""
    return [finding for kept in await rules.every(app) for finding in await _of(app, kept)]


async def _of(app: App, kept: rules.Kept) -> list[Finding]:
    name = f"routing rule {kept.number}"
    try:
        rule = kept.rule
    except RuleInvalid as error:
        return [Finding(name, False, f"it is left out: {error}", f"charrua routing set {kept.number} FILE")]
    lost = [one for one in rule.destinations if rule.enabled and app.destinations.find(one) is None]
    return [
        Finding(
            name, False, f"it sends to {one}, and there is no such destination", f"charrua peer add {one} HOST PORT"
        )
        for one in lost
    ]
