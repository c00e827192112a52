"""The viewer's page: who gets it, what it tells the front end, and what it lets scripts do."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from charrua_core import audit
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.waiting import until
from charrua_core.types import Origin

HTML = {"Accept": "text/html"}


async def keep(app: Any, *images: Any) -> None:
    """Store images."""
    for image in images:
        sent = received_of(image)
        spool = app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, Origin("dimse"))
        spool.write(memoryview(sent.data_set))
        await app.ingest.store(spool)


def config_of(answer: Any) -> dict[str, Any]:
    """What the page gives to the front end."""
    assert answer.status_code == 200, answer.text
    told = re.search(r'<script type="application/json" id="viewer-config">(.*?)</script>', answer.text, re.DOTALL)
    assert told
    return json.loads(told[1])


async def accessed(archive: Any, who: str, study_uid: str) -> bool:
    """Whether the audit trail says that somebody looked at a study."""
    records = await audit.read(archive.app.db, event=audit.Event.INSTANCES_ACCESSED)
    return any((record["who"], record["study_uids"]) == (who, [study_uid]) for record in records)


def value(dataset: dict[str, Any], tag: str) -> Any:
    return dataset[tag]["Value"][0]


@pytest.fixture
async def archive(serve_web):
    return await serve_web()


@pytest.fixture
async def images(archive):
    """Two series of two images, and another study of the same patient."""
    images = [*a_study(series=2, images=2, StudyDescription="Head"), an_object(StudyDescription="Before")]
    await keep(archive.app, *images)
    return images


async def test_the_page_has_the_study_and_its_series_so_that_nothing_more_is_asked_for(archive, images, browse) -> None:
    client = await browse("Referring")
    answer = await client.get(f"/viewer/{images[0].StudyInstanceUID}", headers=HTML)
    config = config_of(answer)
    [study] = config["studies"]
    assert value(study["data"], "00081030") == "Head"
    assert [value(series, "00200011") for series in study["series"]] == [1, 2]
    assert {value(series, "0020000E") for series in study["series"]} == {one.SeriesInstanceUID for one in images[:4]}
    await until(lambda: accessed(archive, "referring1", images[0].StudyInstanceUID))


async def test_priors_and_the_first_image_are_named_by_the_address(images, browse) -> None:
    client, (image, *_, prior) = await browse(), images
    more = {"series": image.SeriesInstanceUID, "instance": image.SOPInstanceUID, "with": prior.StudyInstanceUID}
    config = config_of(await client.get(f"/viewer/{image.StudyInstanceUID}", headers=HTML, params=more))
    assert config["chosen"] == {"series": image.SeriesInstanceUID, "instance": image.SOPInstanceUID}
    assert [value(one["data"], "0020000D") for one in config["studies"]][1:] == [prior.StudyInstanceUID]
    strange = {"series": "<script>", "instance": "1.2.x", "with": ["no uid", "1.2.3"]}
    config = config_of(await client.get(f"/viewer/{image.StudyInstanceUID}", headers=HTML, params=strange))
    assert config["chosen"] == {"series": "", "instance": ""}
    assert len(config["studies"]) == 1


async def test_a_hidden_study_is_answered_like_none(images, browse) -> None:
    client = await browse("Referring", {"Modality": ["MR"]})
    hidden = await client.get(f"/viewer/{images[0].StudyInstanceUID}", headers=HTML)
    none = await client.get("/viewer/1.2.3", headers=HTML)
    assert (hidden.status_code, none.status_code) == (404, 404)
    assert hidden.text == none.text


async def test_only_series_that_the_filter_admits_are_told(archive, browse) -> None:
    study = a_study(images=1)
    report = an_object(StudyInstanceUID=study[0].StudyInstanceUID, Modality="MR")
    await keep(archive.app, *study, report)
    client = await browse("Referring", {"Modality": ["MR"]})
    [told] = config_of(await client.get(f"/viewer/{report.StudyInstanceUID}", headers=HTML))["studies"]
    assert [value(series, "0020000E") for series in told["series"]] == [report.SeriesInstanceUID]


async def test_scripts_may_compile_decoders_and_nothing_else_is_let_in(images, browse) -> None:
    client = await browse()
    answer = await client.get(f"/viewer/{images[0].StudyInstanceUID}", headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe-inline" not in policy
    assert "style=" not in answer.text


async def test_names_cannot_leave_their_place_in_the_page(archive, browse) -> None:
    image = an_object(PatientName="</script><script>alert(1)</script>", StudyDescription="<img src=x onerror=alert(1)>")
    await keep(archive.app, image)
    answer = await (await browse()).get(f"/viewer/{image.StudyInstanceUID}", headers=HTML)
    assert "alert(1)</script>" not in answer.text
    assert "<img src=x" not in answer.text
    assert value(config_of(answer)["studies"][0]["data"], "00081030") == image.StudyDescription


# setting, the account's syntax → the mode that the viewer opens in, the syntax that it asks for
MODES = [
    ("lossless", "", "lossless", ""),
    ("lossy", "", "lossy", ""),
    ("lossless", "1.2.840.10008.1.2.4.70", "lossless", "1.2.840.10008.1.2.4.70"),
    ("lossless", "1.2.840.10008.1.2.4.50", "lossy", ""),
]


@pytest.mark.parametrize(("setting", "syntax", "mode", "asked"), MODES)
async def test_images_come_as_the_setting_and_the_account_say(serve_web, setting, syntax, mode, asked) -> None:
    served = await serve_web({"viewer_images": setting, "enable_download": False})
    image = an_object()
    await keep(served.app, image)
    user = await served.user("Radiologist")
    await served.app.accounts.change(user, by="test", transfer_syntax=syntax)
    headers = {**HTML, "Authorization": f"Bearer {await served.app.accounts.create_token(user, by='test')}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, verify=False) as client:
        config = config_of(await client.get(f"/viewer/{image.StudyInstanceUID}"))
    assert (config["mode"], config["transferSyntax"], config["lossyOnly"]) == (mode, asked, False)
    assert config["download"] == ""
