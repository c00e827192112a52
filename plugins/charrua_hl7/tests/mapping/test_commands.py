"""`charrua hl7 mapping` and `charrua hl7 try`, as they are typed."""

from __future__ import annotations

import json

from .told import an_order

ORDER = an_order("ORC|NW|P1|F1", "OBR|1|P1|F1|CTC^CT chest^L||||||||||||||A1")


async def test_a_mapping_is_taken_out_changed_tried_and_put_in_force(archive, tmp_path) -> None:
    file, order = tmp_path / "orm.json", tmp_path / "order.hl7"
    order.write_text(ORDER)
    shown = json.loads(await archive.run("hl7", "mapping", "show", "ORM"))
    [line] = [line for line in shown["lines"] if line["to"] == "AccessionNumber"]
    line["from"] = ["OBR-2"]
    file.write_text(json.dumps(shown))

    tried = json.loads(await archive.run("hl7", "try", str(order), "--mapping", str(file)))
    assert tried["entries"][0]["attributes"]["AccessionNumber"] == "P1"
    assert "is at version" in await archive.run("hl7", "mapping", "set", "ORM", str(file), "--reason", "a test")
    present = json.loads(await archive.run("hl7", "try", str(order)))
    assert present["entries"][0]["attributes"]["AccessionNumber"] == "P1"
    assert "default" in await archive.run("hl7", "mapping", "reset", "ORM")
