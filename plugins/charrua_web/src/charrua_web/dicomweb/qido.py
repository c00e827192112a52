"""QIDO-RS: searches over HTTP (PS3.18 10.6), below the archive's DICOMweb path and the manual's `/qido-rs`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import orjson

from charrua_core.archive.search import Found, count, search
from charrua_core.audit import Event
from charrua_core.errors import CharruaError
from charrua_core.types import Level
from charrua_core.web import Form, Request, Response, form_of
from charrua_core.web.datasets import CSV
from charrua_web.choices import DICOMWEB
from charrua_web.dicomweb.qido_headers import Number, Page, headers_of, not_modified
from charrua_web.dicomweb.qido_order import SORTED_AT_MOST, Sortable, sort
from charrua_web.dicomweb.qido_parameters import MANUAL, read_parameters
from charrua_web.dicomweb.qido_returns import RETRIEVE_URL, UNIQUE, blanks, retrieve_url, without_bulk

BASES = (DICOMWEB, MANUAL)
AT_HAND = 500
"""Matches that are gathered before they are sent, so that the headers say how many there are."""
COUNTED = 1_000
"""How far matches beyond a page are counted."""


async def search_studies(request: Request) -> Response:
    """Answer a search for studies."""
    return await _Search(request, Level.STUDY).answer()


async def search_series(request: Request) -> Response:
    """Answer a search for series."""
    return await _Search(request, Level.SERIES).answer()


async def search_instances(request: Request) -> Response:
    """Answer a search for instances."""
    return await _Search(request, Level.IMAGE).answer()


class _Search:
    """One search on its way to the client."""

    def __init__(self, request: Request, level: Level) -> None:
        self._request, self._level = request, level
        self._asked = asked = read_parameters(request, level)
        self._form = form_of(request, sorted(asked.blank) or [UNIQUE[level]])
        most = request.app.settings["query_results"] or None
        if asked.query.after:
            most = min(most or AT_HAND, AT_HAND)
        given = [limit for limit in (asked.limit, most) if limit is not None]
        self._limit = min(given) if given else None
        base = next(base for base in BASES if request.base.endswith(base))
        self._root = request.base.removesuffix(base)
        self._service = f"{self._root}{DICOMWEB}"
        self._blank = blanks(asked.blank)
        self._sorted_matches = 0

    # -- pages -----------------------------------------------------------------------------------------------------------
    async def answer(self) -> Response:
        """Give the page with what its headers tell."""
        rows = self._audited(self._sorted() if self._asked.order else self._found())
        at_hand: list[bytes] = []
        async for row in rows:
            at_hand.append(row)
            if len(at_hand) > AT_HAND and not self._asked.order:
                return await self._long(at_hand, rows)
        return await self._short(at_hand)

    async def _short(self, at_hand: list[bytes]) -> Response:
        """Give a page that is at hand, with one more if there is one."""
        shown = at_hand[: self._limit]
        more = len(at_hand) > len(shown)
        if self._asked.order:
            page = Page(shown, Number(self._sorted_matches), more)
        else:
            page = Page(shown, await self._number_beyond(len(shown), more), more, by_uid=bool(shown))
        headers = self._headers(page)
        if not_modified(self._request, headers):
            return Response(304, headers=headers)
        return self._form_for(at_hand).whole(shown, headers)

    async def _long(self, at_hand: list[bytes], rows: AsyncGenerator[bytes, None]) -> Response:
        """Give a page that goes on while it is sent: how many there are is counted before."""
        try:
            number = await self._number_before(len(at_hand))
        except BaseException:
            await rows.aclose()
            raise
        end = None if self._limit is None else self._asked.query.offset + self._limit
        page = Page(None, number, end is not None and number.matches > end, length=self._limit or 0)
        form = self._form_for(at_hand)
        return form.response(_as_many(self._limit, at_hand, rows), self._headers(page))

    def _headers(self, page: Page) -> list[tuple[str, str]]:
        return headers_of(self._request, self._asked, page, self._root, self._form.media_type, UNIQUE[self._level])

    def _form_for(self, rows: Sequence[bytes]) -> Form:
        """Give the form; of a table of everything, with the columns of what is at hand."""
        if self._form.media_type != CSV or self._asked.blank:
            return self._form
        return replace(self._form, columns=sorted({tag for row in rows for tag in orjson.loads(row)}))

    # -- how many --------------------------------------------------------------------------------------------------------
    async def _number_beyond(self, shown: int, more: bool) -> Number:
        """Give how many match, of which these are shown: counted only where the page does not say it."""
        query = self._asked.query
        if not more and not query.after and (shown or not query.offset):
            return Number(query.offset + shown)
        least = shown + more + (query.offset if shown else 0)
        at_most = max(least, COUNTED)
        number = await count(self._request.app, query, self._request.identity, at_most)
        if number is None:
            return Number(least, exact=False)
        return Number(max(number, least), exact=number < at_most)

    async def _number_before(self, at_hand: int) -> Number:
        """Give how many match, counted a little further than the page goes."""
        app, query, identity = self._request.app, self._asked.query, self._request.identity
        if self._limit is None:
            number = await count(app, query, identity, COUNTED)
            return Number(max(number or 0, query.offset + at_hand), exact=number is not None and number < COUNTED)
        at_most = max(query.offset + self._limit + 1, COUNTED)
        number = await count(app, query, identity, at_most)
        if number is None:
            number = 0
            least = replace(query, offset=0, limit=at_most, return_keys=frozenset({UNIQUE[self._level]}))
            async with aclosing(search(app, least, identity)) as matches:
                async for _ in matches:
                    number += 1
        return Number(number, exact=number < at_most)

    # -- rows ------------------------------------------------------------------------------------------------------------
    async def _found(self) -> AsyncGenerator[bytes, None]:
        """Give the matches of the page and one more, if there is one."""
        limit = 0 if self._limit is None else self._limit + 1
        query = replace(self._asked.query, limit=limit)
        async with aclosing(search(self._request.app, query, self._request.identity)) as matches:
            async for found in matches:
                yield self._bytes(found)

    async def _sorted(self) -> AsyncGenerator[bytes, None]:
        """Give the matches from the offset on in the order that was asked for. TooManyResults where they are too many."""
        query, keys = replace(self._asked.query, at_most=SORTED_AT_MOST, offset=0), self._asked.order

        def sortable(found: Found) -> Sortable:
            return tuple(key.value_of(found.attributes) for key in keys), self._bytes(found)

        async with aclosing(search(self._request.app, query, self._request.identity)) as matches:
            rows = [sortable(found) async for found in matches]
        sort(rows, keys)
        self._sorted_matches = len(rows)
        for _, row in rows[self._asked.query.offset :]:
            yield row

    def _bytes(self, found: Found) -> bytes:
        attributes = found.attributes
        attributes[RETRIEVE_URL] = retrieve_url(self._service, self._level, attributes)
        if self._level is Level.IMAGE:
            attributes = without_bulk(attributes)
        if not self._blank:
            return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)
        told = [(tag, attributes.get(tag, blank)) for tag, blank in self._blank]
        return orjson.dumps({tag: element for tag, element in told if element is not None})

    async def _audited(self, rows: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Give the rows; then write the query into the audit trail (PS3.15 A.5.3.10): which keys it had, not their values."""
        query, request = self._asked.query, self._request
        told, status = 0, 200
        try:
            async with aclosing(rows):
                async for row in rows:
                    yield row
                    told += 1
        except CharruaError as error:
            status = error.http_status
            raise
        finally:
            request.app.audit.later(
                Event.QUERY,
                "E",
                request.identity.name,
                request.origin,
                succeeded=status == 200,
                level=str(self._level),
                keys=sorted(query.keys),
                matches=told if self._limit is None else min(told, self._limit),
                status=str(status),
            )


async def _as_many(
    limit: int | None, at_hand: Sequence[bytes], rows: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Give the rows at hand and those that follow, `limit` in all."""
    told = 0
    async with aclosing(rows):
        for row in at_hand[:limit]:
            yield row
            told += 1
        if told == limit:
            return
        async for row in rows:
            yield row
            told += 1
            if told == limit:
                return
