"""HL7 and the worklist: orders come in over MLLP, modalities ask for their worklist and tell what they perform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.jobs import JobType
    from charrua_core.services import Service
    from charrua_core.settings import Setting
    from charrua_core.types import ExpectedObjects, FinalReport, Finding, Identity, StoredObject, StudyEdited
    from charrua_core.web import Page, StudyAction, WebRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare what an administrator may choose of HL7 and the worklist."""
    from charrua_hl7.choices import SETTINGS

    return SETTINGS


@hookimpl
def migrations() -> Sequence[str]:
    """Name the lineage of schema charrua_hl7."""
    return ["charrua_hl7.lineage"]


@hookimpl
def services(app: App) -> Sequence[Service]:
    """Give the MLLP listener, and what looks after the entries and the performed steps."""
    from charrua_hl7.intake import intake_services
    from charrua_hl7.performed import performed_upkeep_services
    from charrua_hl7.worklist.upkeep import worklist_services

    return [*intake_services(app), *worklist_services(app), *performed_upkeep_services(app)]


@hookimpl
async def health(app: App) -> Sequence[Finding]:
    """Tell whether the HL7 listener is there, and whether receivers take what they are sent."""
    from charrua_hl7.intake.health import listener_health
    from charrua_hl7.outgoing.health import receivers_health

    return [*await listener_health(app), *await receivers_health(app)]


@hookimpl
def dimse_services(app: App) -> Sequence[ServiceClass]:
    """Offer Modality Worklist and Modality Performed Procedure Step."""
    from charrua_hl7.performed import performed_services
    from charrua_hl7.worklist.find import worklist_find

    return [*worklist_find(app), *performed_services(app)]


@hookimpl
def job_types(app: App) -> Sequence[JobType]:
    """Give the jobs that correct studies, forward performed steps and send messages."""
    from charrua_hl7.outgoing import outgoing_jobs
    from charrua_hl7.patients import patient_jobs
    from charrua_hl7.performed import performed_jobs
    from charrua_hl7.worklist.upkeep import worklist_jobs

    return [*patient_jobs(app), *worklist_jobs(app), *performed_jobs(app), *outgoing_jobs(app)]


@hookimpl
async def on_object_stored(app: App, stored: StoredObject) -> None:
    """Let the entry whose study arrives know of it, and give a merged patient's study to the one that stays.

    And let the receivers of results know of a report.
    """
    from charrua_hl7.outgoing import document_stored
    from charrua_hl7.patients.arriving import object_stored
    from charrua_hl7.worklist.arrivals import study_arrived

    await object_stored(app, stored)
    await study_arrived(app, stored)
    await document_stored(app, stored)


@hookimpl
async def on_report_final(app: App, report: FinalReport) -> None:
    """Let the receivers of results know of a report."""
    from charrua_hl7.outgoing import report_final

    await report_final(app, report)


@hookimpl
def cli_commands() -> Sequence[click.Command]:
    """Give `charrua hl7` and `charrua worklist`."""
    from charrua_hl7.commands import hl7
    from charrua_hl7.worklist.commands import worklist

    return [hl7, worklist]


@hookimpl
async def on_study_edited(app: App, edited: StudyEdited) -> None:
    """Let entries follow edits: those made for them that are undone, and those that bring images under their UID."""
    from charrua_hl7.patients.undoing import study_edited
    from charrua_hl7.worklist.assigning import study_edited as assigned_edited
    from charrua_hl7.worklist.upkeep import complete_what_was_moved

    await study_edited(app, edited)
    await assigned_edited(app, edited)
    await complete_what_was_moved(app, edited)


@hookimpl
async def expected_objects(app: App, identity: Identity, study_uid: str) -> Sequence[ExpectedObjects]:
    """Say what modalities have told by MPPS to have made of a study."""
    from charrua_hl7.performed import expected_of

    return await expected_of(app, identity, study_uid)


@hookimpl
def web_routes() -> Sequence[WebRoute]:
    """Give the calls on the worklist, what was performed, messages, mappings and receivers."""
    from charrua_hl7.intake import message_routes
    from charrua_hl7.mapping import MAPPING_ROUTES
    from charrua_hl7.outgoing import receiver_routes
    from charrua_hl7.pages import SCRIPTS
    from charrua_hl7.patients.calls import PATIENT_ROUTES
    from charrua_hl7.performed import PERFORMED_ROUTES
    from charrua_hl7.worklist.calls import WORKLIST_ROUTES

    own = [*WORKLIST_ROUTES, *PATIENT_ROUTES, *PERFORMED_ROUTES, *message_routes(), *MAPPING_ROUTES]
    return [*own, *receiver_routes(), *SCRIPTS]


@hookimpl
def web_pages() -> Sequence[Page]:
    """Give the worklist and, in Set-up, the messages, mappings and receivers."""
    from charrua_hl7.pages import PAGES

    return PAGES


@hookimpl
def study_actions() -> Sequence[StudyAction]:
    """Offer to assign a study to an entry."""
    from charrua_hl7.worklist.choices import ACTIONS

    return ACTIONS
