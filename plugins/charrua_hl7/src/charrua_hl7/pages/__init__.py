"""The pages of the worklist, and in Set-up those of messages, mappings and receivers."""

from __future__ import annotations

from charrua_hl7.pages.mapping_pages import MAPPING_PAGES, MAPPING_SCRIPTS
from charrua_hl7.pages.message_pages import MESSAGE_PAGES
from charrua_hl7.pages.patient_pages import PATIENT_PAGES
from charrua_hl7.pages.performed_pages import PERFORMED_PAGES
from charrua_hl7.pages.receiver_pages import RECEIVER_PAGES
from charrua_hl7.pages.worklist_pages import WORKLIST_PAGES, WORKLIST_SCRIPTS

PAGES = (*WORKLIST_PAGES, *PERFORMED_PAGES, *MESSAGE_PAGES, *MAPPING_PAGES, *RECEIVER_PAGES, *PATIENT_PAGES)
SCRIPTS = (*WORKLIST_SCRIPTS, *MAPPING_SCRIPTS)

__all__ = ["PAGES", "SCRIPTS"]
