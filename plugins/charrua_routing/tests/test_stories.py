"""Archives that route to one another and to workstations, as an operator sets them up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from charrua_core.sending.delivered import MOST_VERSIONS
from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.objects import a_study
from charrua_core.testing.running import Archive
from charrua_core.testing.waiting import until

ROOT = Path(__file__).parents[3]


async def test_an_operator_makes_tries_and_undoes_a_rule(
    archive: Archive, modality: Modality, workstation: Workstation, tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("""
        [[rule]]
        name = "thorax to the workstation"
        destinations = ["WORKSTATION"]
        send_as = 3

        [rule.when]
        modality = "CT"
        study_description = "thorax*"
        attributes = [{attribute = "Rows", is = "<", value = 512}]
    """)
    assert "added rule 1" in await archive.run("routing", "add", str(file))
    study, other = a_study(images=3), a_study(StudyDescription="Head")
    await modality.give(study, other)
    await archive.settled()
    assert {one.sop_instance_uid for one in workstation.received} == {image.SOPInstanceUID for image in study}
    assert {one.transfer_syntax_uid for one in workstation.received} == {"1.2.840.10008.1.2.4.70"}

    explained = await archive.run("routing", "explain", str(other[0].SOPInstanceUID))
    assert "FAILS  study_description: wants thorax*, has Head" in explained
    assert "it goes nowhere" in explained
    assert "sent there before" in await archive.run("routing", "explain", str(study[0].SOPInstanceUID))

    edited = tmp_path / "edited.json"
    edited.write_text(
        file_as_json := '{"name": "heads", "destinations": ["WORKSTATION"], "when": {"study_description": "head"}}'
    )
    replayed = await archive.run("routing", "replay", "--since", "2020-01-01", "--rules", str(edited))
    assert "4 objects looked at; 4 would go elsewhere" in replayed
    assert len(workstation.received) == 3

    assert "version 2" in await archive.run("routing", "set", "1", str(edited))
    await archive.run("routing", "disable", "heads")
    await modality.give(a_study(StudyDescription="Head"))
    await archive.settled()
    assert len(workstation.received) == 3
    assert file_as_json[2:6] in await archive.run("routing", "show", "1")
    assert "now version 4" in await archive.run("routing", "restore", "1", "2")
    await modality.give(a_study(StudyDescription="Head"))
    await archive.settled()
    assert len(workstation.received) == 4
    assert "WORKSTATION" in await archive.run("routing", "queue", "list", "--state", "done")
    status, _, told = await archive.charrua(
        "routing", "add", "--name", "x", "--when", "Rows>tall", "--destination", "A"
    )
    assert (status, "when.attributes[0].value" in told) == (1, True)


async def test_a_study_goes_when_it_is_quiet(
    archive: Archive, modality: Modality, workstation: Workstation, tmp_path: Path
) -> None:
    file = tmp_path / "studies.json"
    file.write_text('{"name": "studies", "destinations": ["WORKSTATION"], "level": "study", "quiet_s": 2}')
    await archive.run("routing", "add", str(file))
    study = a_study(images=3)
    await modality.give(study[:2])
    await until(lambda: len(workstation.received) == 2, 30)
    await modality.give(study[2])
    await until(lambda: len(workstation.received) == 3, 30)
    assert {one.sop_instance_uid for one in workstation.received} == {image.SOPInstanceUID for image in study}


@pytest.fixture
def start_another(start_archive, postgresql_server, tmp_path):
    """A function that starts an archive with a database and a data folder of its own."""

    async def start_another(aet: str, plugins=()) -> Archive:
        env = {"CHARRUA_DATABASE_URL": postgresql_server.fresh(), "CHARRUA_DATA_DIR": str(tmp_path / aet)}
        return await start_archive(settings={"dicom_aet": aet}, plugins=plugins, env=env)

    return start_another


async def objects_in(archive: Archive) -> int:
    return len(list((archive.data_dir / "volume-1").rglob("*.dcm")))


@pytest.mark.parametrize("ring", [("NORTE", "SUR"), ("NORTE", "SUR", "ESTE")], ids=["two archives", "three in a ring"])
async def test_archives_that_route_to_one_another_stop(ring, start_another) -> None:
    archives = [await start_another(aet) for aet in ring]
    for archive, to in zip(archives, archives[1:] + archives[:1], strict=True):
        await archive.add_peer(to.peer)
        await archive.run("routing", "add", "--name", "all", "--destination", to.peer.aet)
    await Modality(archives[0].peer).give(a_study(images=2))
    for archive in archives * 2:
        await archive.settled()
    for archive in archives:
        assert await objects_in(archive) == 2
    sent = [(await one.measured()).get("charrua_objects_sent_total") for one in archives]
    assert sent == (
        [2, 0] if len(ring) == 2 else [2, 2, 2]
    )  # round a ring the first one gets them again, and knows them


CHANGES = """
    from uuid import uuid4

    @hookimpl
    def coerce_object(candidate):
        return [Coercion({"00104000": {"vr": "LT", "Value": [str(uuid4())]}}, reason="always another comment")]
"""


async def test_a_ring_whose_members_change_what_they_pass_on_stops(start_another, write_plugin) -> None:
    changes = write_plugin("changes", CHANGES)
    archives = [await start_another(aet, plugins=[changes]) for aet in ("NORTE", "SUR", "ESTE")]
    for archive, to in zip(archives, archives[1:] + archives[:1], strict=True):
        await archive.add_peer(to.peer)
        await archive.run("routing", "add", "--name", "all", "--destination", to.peer.aet)
    await Modality(archives[0].peer).give(a_study())
    for archive in archives * (MOST_VERSIONS + 1):
        await archive.settled()
    assert [await objects_in(archive) for archive in archives] == [MOST_VERSIONS + 1, MOST_VERSIONS, MOST_VERSIONS]
    assert "routed no more" in archives[0].told()


async def test_without_the_plugin_all_else_works(start_archive) -> None:
    archive = await start_archive(without=["routing"])
    modality = Modality(archive.peer)
    await modality.give(a_study())
    await archive.settled()
    assert (await modality.echo()) == 0
    assert (await archive.charrua("routing", "list"))[0] == 2


def test_core_does_not_know_the_plugin() -> None:
    core = ROOT / "charrua_core" / "src"
    named = [
        str(path.relative_to(core))
        for path in core.rglob("*.py")
        # The docstrings of hooks show how a plugin of that name would look.
        if path.name != "hookspecs.py" and re.search(r"charrua_routing|\brouting\.(rule|quiet)", path.read_text())
    ]
    assert named == []
