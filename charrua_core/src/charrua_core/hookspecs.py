"""What a plugin may implement: every hook specification of Charrua, and nothing that calls them.

A plugin is a module registered under the entry-point group `charrua`, whose functions are marked with `hookimpl` and bear
the names below. An implementation takes the arguments that it needs, by name, and leaves the others out. `async def` runs
on the event loop; plain `def` runs in a worker thread unless its hook says "in line". How results combine is the verb's
matter (`charrua_core.hooks`): gather, ask, judge, tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.archive.search import Query
    from charrua_core.dicom import ServiceClass
    from charrua_core.imaging.codecs import Codec
    from charrua_core.jobs import JobType
    from charrua_core.metrics import Read
    from charrua_core.sending import DestinationKind
    from charrua_core.services import Service
    from charrua_core.settings import Setting
    from charrua_core.types import (
        Candidate,
        Coercion,
        ExpectedObjects,
        FinalReport,
        Finding,
        Identity,
        Refuse,
        Route,
        StoredObject,
        StudyEdited,
    )
    from charrua_core.web import Page, StudyAction, WebRoute, WebSocketRoute

hookspec = pluggy.HookspecMarker("charrua")
hookimpl = pluggy.HookimplMarker("charrua")


@hookspec
def settings() -> Sequence[Setting]:  # type: ignore[empty-body]
    """Declare the plugin's settings.

    gather, in line, at every start of a process, before anything else. A failure stops the start.

        @hookimpl
        def settings():
            return [Setting("night_archive_aet", str, "NIGHT", help="AE title that takes the night's studies", since="0.1")]
    """


@hookspec
def migrations() -> Sequence[str]:  # type: ignore[empty-body]
    """Name the packages that hold the plugin's alembic versions, each with its own schema and version table.

    gather, in line, when the database is opened by `charrua serve` or `charrua database upgrade`; schema core is there
    before. The schema's name is the last part of the package that holds `migrations`. A failure stops the start.

        @hookimpl
        def migrations():
            return ["charrua_routing.lineage"]
    """


@hookspec
def services(app: App) -> Sequence[Service]:  # type: ignore[empty-body]
    """Give what runs for as long as the archive does: a listener, a sender, a timer.

    gather, in line, once per worker process. A service is started if its role is among the process's roles. A failure
    stops the start.

        @hookimpl
        def services(app):
            from charrua_hl7.listener import Listener

            return [Listener(app)]
    """


@hookspec
def dimse_services(app: App) -> Sequence[ServiceClass]:  # type: ignore[empty-body]
    """Give the DICOM services that this archive offers as SCP, by SOP class.

    gather, in line, once per worker process of role `dicom`. The first plugin that takes a SOP class serves it. A failure
    stops the start.

        @hookimpl
        def dimse_services(app):
            from charrua_qr.find import find_service

            return [find_service(app)]
    """


@hookspec
def job_types(app: App) -> Sequence[JobType]:  # type: ignore[empty-body]
    """Give the kinds of durable jobs that the plugin can do, with their schedule of retries.

    gather, in line, once per worker process of role `jobs`. A failure stops the start.

        @hookimpl
        def job_types(app):
            return [JobType("routing.send", partial(send, app), retry_after=RETRIES)]
    """


@hookspec
def cli_commands() -> Sequence[click.Command]:  # type: ignore[empty-body]
    """Give the plugin's commands: they stand under `charrua`.

    gather, in line, at every call of `charrua`. A failure is told with the plugin's name, and ends the call.

        @hookimpl
        def cli_commands():
            from charrua_routing.commands import routing

            return [routing]
    """


@hookspec
def accept_object(app: App, candidate: Candidate) -> Refuse | None:
    """Refuse an object that was received whole, before it is stored.

    judge, in line: it must not block, and may look at the candidate and at `app.settings`. It is called once more when the
    study has changed before the object was committed, and must answer alike for alike arguments. The first refusal is what
    the sender is told; a failing implementation refuses with 0x0110.

        @hookimpl
        def accept_object(candidate):
            if not candidate.header.value("00100020"):
                return Refuse("Patient ID is empty", dimse_status=0xA900, http_status=400)
    """


@hookspec
def coerce_object(app: App, candidate: Candidate) -> Sequence[Coercion]:  # type: ignore[empty-body]
    """Give attributes that an accepted object shall have here; its bytes stay as they are (DESIGN §5).

    gather, in line, after `accept_object`. Later plugins win where two name the same attribute. A failure refuses the object
    with 0x0110.

        @hookimpl
        def coerce_object(candidate):
            return [Coercion({"00080080": {"vr": "LO", "Value": ["Hospital Norte"]}}, reason="institution of the site")]
    """


@hookspec
def on_object_stored(app: App, stored: StoredObject) -> None:
    """Learn that an object is stored: on disk, in the index, and acknowledged.

    tell, from the change feed: at least once for every object, in the order of commit, each plugin's hook with a cursor of its
    own, so that what is slow or fails delays only itself: neither other plugins nor other hooks of the same. A failure is
    tried again with back-off, then set aside where `charrua plugins` and the set-up page show it. It must not mind to be told
    twice.

        @hookimpl
        async def on_object_stored(app, stored):
            if stored.modality == "CT":
                await app.jobs.enqueue("vendor.analyse", {"study": stored.study_uid}, lane="analyse")
    """


@hookspec
def on_study_edited(app: App, edited: StudyEdited) -> None:
    """Learn that studies were corrected, assigned, merged, given a status, deleted, or that such an edit was undone.

    tell, from the change feed like `on_object_stored`, and beside it: at least once for every edit, in their order, after its
    commit. `edited.undoes` names the edit that was taken back. What `coerce_object` gives is no edit. A failure is tried
    again with back-off, then set aside. It must not mind to be told twice.

        @hookimpl
        async def on_study_edited(app, edited):
            for uid in edited.study_uids:
                await app.jobs.enqueue("vendor.tell_again", {"study": uid, "why": edited.kind}, lane="vendor")
    """


@hookspec
def on_report_final(app: App, report: FinalReport) -> None:
    """Learn that a report was signed, or one that takes the place of a signed one.

    tell, from the change feed like `on_object_stored`, and beside it: at least once for every report; a failure is tried
    again with back-off, then set aside. It must not mind to be told twice: study, status and `signed_at` are the same
    then.

        @hookimpl
        async def on_report_final(app, report):
            await app.jobs.enqueue("vendor.tell", {"accession": report.accession_number}, lane="vendor")
    """


@hookspec
def expected_objects(app: App, identity: Identity, study_uid: str) -> Sequence[ExpectedObjects]:  # type: ignore[empty-body]
    """Say how many objects of a study there should be, as its modality has told them, and how many of those are here.

    gather, when somebody looks at what became of a study; the identity may see it, perhaps a part of it, and is told of no
    more. A failure is logged, and nothing is said of what is expected.

        @hookimpl
        async def expected_objects(app, identity, study_uid):
            named = await named_by_the_modality(study_uid)
            return [ExpectedObjects("CT1", named.objects, named.received, is_final=named.is_over)]
    """


@hookspec
def on_query(query: Query, identity: Identity) -> Query | Refuse | None:
    """Look at a query before the index does: narrow it, or refuse it.

    judge, in line, for C-FIND, QIDO-RS, the pages and the selection of every retrieval. Each implementation gets the query
    that the one before it gave back; None leaves it as it is. A failing implementation refuses the query.

        @hookimpl
        def on_query(query, identity):
            if identity.kind == "peer" and not query.keys:
                return Refuse("name at least one key", dimse_status=0xA900, http_status=400)
    """


@hookspec
def route_destination(app: App, stored: StoredObject) -> Sequence[Route]:  # type: ignore[empty-body]
    """Name the destinations that an object goes to next: peers, or others (hook `destinations`).

    gather, from the change feed like `on_object_stored`: a failure is tried again. Destinations named twice are sent to
    once; the sending is a durable job in the lane of its destination, tried again as `send_retries` says.

        @hookimpl
        def route_destination(stored):
            return [Route("WORKSTATION")] if stored.modality == "MR" else []
    """


@hookspec
def destinations(app: App) -> Sequence[DestinationKind]:  # type: ignore[empty-body]
    """Give kinds of destinations: what `charrua destination add` can name beside DICOM peers, and how it is sent to.

    gather, in line, once per process. A failure, or two kinds of one name, stop the start. The function `send` of a kind is
    called by a job in the lane of its destination, gives an `Outcome` for each object as soon as that is known, and raises
    what keeps all others from being sent: they are tried again as `send_retries` says. An object that was `done` is not
    sent a second time; one that was on its way when the process died is.

        @hookimpl
        def destinations(app):
            from charrua_core.sending import DestinationKind
            from charrua_tape.writing import OPTIONS, probe, send

            return [DestinationKind("tape", "A tape of the night's robot.", send, probe, OPTIONS)]
    """


@hookspec
def auth_provider(app: App, credentials: dict[str, Any]) -> Identity | Refuse | None:
    """Say whose credentials these are.

    ask: the first that is not None decides, and a `Refuse` ends the asking. `credentials` has `scheme` (`password`,
    `bearer`, `dicom`) and what that scheme brings: `name` and `password`, `token`, or `aet` and `address`; a `password` that
    came with an association has its `aet` too. A failing implementation refuses.

        @hookimpl
        async def auth_provider(app, credentials):
            if credentials["scheme"] == "bearer" and credentials["token"].startswith("site-"):
                return await site_identity(app, credentials["token"])
    """


@hookspec
def health(app: App) -> Sequence[Finding | tuple[str, bool, str]]:  # type: ignore[empty-body]
    """Say what of the plugin works: name, whether it works, a sentence; a `Finding` may also say how to mend it.

    gather, when `charrua status` or `/health` asks, at most once a second; `app.roles` is empty for the command. A finding
    that does not work makes the archive `degraded`, and `failing` only where it is `vital` (HTTP 503: nobody should send
    anything here). An implementation that fails, or takes longer than its budget, counts as a thing that does not work.
    Sentences hold no patient data.

        @hookimpl
        async def health(app):
            return [Finding("hl7", False, "port 2575 is taken", mend="set hl7_port to another one")]
    """


@hookspec
def web_routes(app: App) -> Sequence[WebRoute | WebSocketRoute]:  # type: ignore[empty-body]
    """Give what can be asked of the plugin over HTTP.

    gather, in line, once per process of role `web`, where the web plugin is installed. It sees to log-in, permission, errors
    and documents as the route declares them; the row filter is the handler's own duty, by `archive.search` with the
    request's identity. A failure, or two routes of one method and path, stop the start.

        @hookimpl
        def web_routes(app):
            from charrua_routing.calls import routing_queue

            return [WebRoute("POST", "/routingqueue", routing_queue, "send", "Send a study", tag="Routing")]
    """


@hookspec
def web_pages(app: App) -> Sequence[Page]:  # type: ignore[empty-body]
    """Give the plugin's pages, and where they stand in the navigation.

    gather, in line, once per process of role `web`, where the web plugin is installed. It looks for templates in the
    folder `templates` of each package that a page names, and for words in other languages in `translations/es.po` beside it.
    A failure, or a path that something else answers, stops the start. `show` asks `archive.search` with the request's
    identity, as every handler does.

        @hookimpl
        def web_pages(app):
            from charrua_routing.pages import show_rules

            place = Navigation("setup", "Routing", icon="route", order=30)
            return [Page("/setup/routing", "charrua_routing/rules.html", show_rules, "configure", "Routing", place)]
    """


@hookspec
def study_actions(app: App) -> Sequence[StudyAction]:  # type: ignore[empty-body]
    """Give what can be done with a study beside what the pages do themselves: buttons that lead to an address.

    gather, in line, once per process of role `web`. A failure stops the start. Whoever lacks the permission does not see
    the button; what it leads to must ask for it all the same.

        @hookimpl
        def study_actions(app):
            return [StudyAction("OHIF", "/ohif/viewer?StudyInstanceUIDs={study}", "retrieve", key="o")]
    """


@hookspec
def metrics(app: App) -> Sequence[Read]:  # type: ignore[empty-body]
    """Read values for Prometheus, such as what the plugin's tables count.

    gather, when `/metrics` or `charrua metrics` asks, at most every five seconds; `app.roles` is empty for the command. A
    failing implementation is left out. What a process counts while it works needs no hook: `charrua_core.metrics.counter`
    and `histogram` are declared beside what feeds them, as `reading` is for a value that this hook gives.

        @hookimpl
        async def metrics(app):
            from charrua_night.measured import WAITING  # reading("charrua_night_studies", "Studies that wait for the night.")

            async with app.db.driver(reading=True) as connection:
                return [WAITING.of(await connection.fetchval("SELECT count(*) FROM night.study"))]
    """


@hookspec
def decode_frame() -> Sequence[Codec]:  # type: ignore[empty-body]
    """Give decoders of frames, by transfer syntax: for one that core does not know, or in place of core's own.

    gather, in line, at the start of a process; a failure stops it. The function that a `Codec` names is imported and
    called in imaging's worker processes, `decode(data: bytes, pixel_format: PixelFormat) -> Decoded | None`: the highest
    priority first (core's own have 0), the next where it gives None. What it raises means that the frame is damaged; a
    worker that it hangs or crashes is killed and replaced.

        @hookimpl
        def decode_frame():
            from charrua_core.imaging.codecs import Codec

            return [Codec(("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"), "vendor.kakadu:decode", priority=10)]
    """


@hookspec
def encode_frame() -> Sequence[Codec]:  # type: ignore[empty-body]
    """Give encoders of frames, by transfer syntax.

    gather, in line, at the start of a process; a failure stops it. The function is called as that of `decode_frame` is:
    `encode(pixels: ndarray, pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions) -> bytes | None`,
    and raises CodecUnavailable for pixels that it cannot encode. Any other exception fails the call.

        @hookimpl
        def encode_frame():
            from charrua_core.imaging.codecs import Codec

            return [Codec(("1.2.840.10008.1.2.4.90",), "vendor.kakadu:encode", priority=10)]
    """
