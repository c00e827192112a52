"""Revoking a link ends the sessions that it has opened; for a while it can be had back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, update

from charrua_core import audit, tables
from charrua_core.accounts import rows
from charrua_core.errors import ShareNotFound
from charrua_core.shares.listing import listed
from charrua_core.types import Identity, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

RESTORED_WITHIN = timedelta(minutes=10)
_share = tables.share


async def revoke(app: App, share: str, identity: Identity, origin: Origin) -> None:
    """End a link and the sessions that it has opened. ShareNotFound for one that the identity does not look after."""
    await _change(app, share, identity, origin, "D", _share.c.revoked_at.is_(None), func.now())


async def restore(app: App, share: str, identity: Identity, origin: Origin) -> None:
    """Have a link work again that was revoked a moment ago. ShareNotFound where there is none."""
    lately = _share.c.revoked_at > func.now() - RESTORED_WITHIN
    await _change(app, share, identity, origin, "U", lately, None)


async def _change(
    app: App, share: str, identity: Identity, origin: Origin, action: audit.Action, fits: Any, revoked_at: Any
) -> None:
    found = await listed(app, identity, share=share)
    if not found:
        raise ShareNotFound("there is no such link")
    share = found[0].id
    changed = update(_share).where(_share.c.id == share, fits).values(revoked_at=revoked_at)
    async with app.db.transaction() as tx:
        study_uids = (await tx.execute(changed.returning(_share.c.study_uids))).scalar()
        if study_uids is None:
            raise ShareNotFound("there is no such link")
        await tx.execute(delete(tables.session).where(tables.session.c.share == share))
        event = audit.Event.SECURITY_ALERT
        await audit.record(tx, event, action, identity.name, origin, study_uids=study_uids, share=share)
        rows.tell(tx)
