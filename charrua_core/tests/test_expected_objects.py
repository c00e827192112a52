"""What plugins say of the objects that there should be (hook expected_objects)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from charrua_core.archive.ledger import ledger
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import an_object
from charrua_core.types import SYSTEM, ExpectedObjects, Origin

SAID = ExpectedObjects("CT1", 3, 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [('return [ExpectedObjects("CT1", 3, 1)]', (SAID,)), ("raise ValueError", ()), ("return []", ())],
)
async def test_the_ledger_tells_what_is_expected_and_does_not_need_it(
    open_archive: Callable[..., Any], write_plugin: Callable[[str, str], str], body: str, expected: tuple[Any, ...]
) -> None:
    source = f"@hookimpl\nasync def expected_objects(study_uid):\n    {body}\n"
    app = await open_archive(plugins=(write_plugin("named", source),))
    sent = received_of(an_object(StudyInstanceUID="1.1"))
    spool = app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, Origin("cli"))
    spool.write(memoryview(sent.data_set))
    await app.ingest.store(spool)
    assert (await ledger(app, SYSTEM, "1.1")).expected == expected
