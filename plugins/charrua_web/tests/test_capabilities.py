"""The services say what they can do, from the routes that do it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

WADL = "{http://wadl.dev.java.net/2009/02}"


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
async def test_the_base_tells_resources_methods_and_media_types(archive, browse, method: str) -> None:
    answer = await (await browse(None)).request(method, "/dicom-web/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.sun.wadl+xml")
    [resources] = ElementTree.fromstring(answer.content)
    assert resources.get("base") == f"{archive.url}/dicom-web/"
    [studies] = [one for one in resources if one.get("path") == "studies"]
    [store] = [one for one in studies.iter(f"{WADL}method") if one.find(f"{WADL}doc").get("title").startswith("Store")][
        :1
    ]
    taken = [one.get("mediaType") for one in store.find(f"{WADL}request")]
    assert 'multipart/related; type="application/dicom"' in taken
    assert {one.get("status") for one in store.findall(f"{WADL}response")} >= {"200", "202", "409"}
    [study] = [one for one in studies if one.get("path") == "{study}"]
    assert study.find(f"{WADL}param").attrib == {"name": "study", "style": "template", "required": "true"}
    assert {"DELETE", "POST"} <= {one.get("name") for one in study.findall(f"{WADL}method")}


async def test_the_same_is_had_as_json_and_below_the_manuals_paths(archive, browse) -> None:
    client = await browse(None)
    answer = await client.get("/stow-rs", headers={"Accept": "application/json"})
    [resources] = answer.json()["application"]["resources"]
    assert resources["base"] == f"{archive.url}/stow-rs/"
    [studies] = resources["resource"]
    assert [method["name"] for method in studies["method"]] == ["POST"]
    assert (await client.get("/dicom-web", headers={"Accept": "image/png"})).status_code == 406
