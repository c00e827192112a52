/** Key images in the pane: what was selected, by whom, all of them as one stack, and the mark for the image in sight. */
import { t } from "../../pages/words";
import { loadInstances } from "../archive";
import { config } from "../config";
import { byId, make, tell } from "../dom";
import { icon } from "../icons";
import type { Study } from "../model";
import { stacksOf, type Picture, type Stack } from "../stacks";
import type { Viewer } from "../viewer";
import { keyObjectsOf, markKeyImage, takeBackKeyImages, type KeyObject } from "./key_objects";

type Named = KeyObject["images"][number];
const selections = new Map<Study, KeyObject[]>();

/** Reads the selections of a study, and lists them. */
export async function readKeyImages(viewer: Viewer, study: Study): Promise<void> {
  selections.set(study, await keyObjectsOf(study).catch(() => []));
  list(viewer);
}

/** Whether the image in sight is a key image. */
export function isKeyImage({ grid }: Viewer): boolean {
  const { picture } = grid.active;
  return picture !== undefined && selectionsOf(picture).length > 0;
}

/** Marks the image in sight, or takes one's own mark back. */
export async function toggleKeyImage(viewer: Viewer): Promise<void> {
  const { picture } = viewer.grid.active;
  if (!picture) return tell(t("There is no image in this place to mark."));
  const { study } = picture.instance.series;
  try {
    const own = selectionsOf(picture).filter(({ mine, images }) => mine && images.length === 1);
    if (own.length) await takeBack(study, own);
    else if (selectionsOf(picture).length) return tell(t("It is a key image already, of a selection with others or by somebody else."));
    else await mark(study, picture);
  } catch (error) {
    tell(error instanceof Error ? error.message : t("The key image could not be saved."));
  }
  list(viewer);
  viewer.changed();
}

async function mark(study: Study, { instance, frame }: Picture): Promise<void> {
  const made = await markKeyImage(instance, frame);
  selections.set(study, [made, ...(selections.get(study) ?? [])]);
  tell(t("This is a key image now. The same button takes it back."));
}

async function takeBack(study: Study, own: KeyObject[]): Promise<void> {
  for (const one of own) await takeBackKeyImages(study, one);
  selections.set(study, (selections.get(study) ?? []).filter((one) => !own.includes(one)));
  tell(t("The image is no key image any more. The same button marks it again."));
}

function selectionsOf({ instance, frame }: Picture): KeyObject[] {
  const isNamed = (one: Named): boolean => one.instanceUid === instance.uid && (one.frame ?? frame) === frame;
  return (selections.get(instance.series.study) ?? []).filter(({ images }) => images.some(isNamed));
}

function list(viewer: Viewer): void {
  const all = [...selections.values()].flat();
  const place = byId("key-images");
  (place.parentElement as HTMLElement).hidden = !all.length && !config.maySave;
  const several = new Set(all.flatMap(({ images }) => images.map(({ instanceUid, frame }) => `${instanceUid}/${frame}`))).size > 1;
  place.replaceChildren(
    ...(all.length ? [] : [make("li", {}, make("p", {}, t("No image is marked. The star in the row marks the one in sight.")))]),
    ...(several ? [entry(t("All key images"), () => void showAll(viewer))] : []),
    ...all.flatMap((one) => entriesOf(viewer, one)),
  );
}

function entriesOf(viewer: Viewer, { label, images }: KeyObject): HTMLElement[] {
  return images.map(({ seriesUid, instanceUid, frame = 1 }, at) => {
    const name = images.length > 1 ? `${label} ${at + 1}` : label;
    return entry(name, () => void viewer.jump({ seriesUid, instanceUid, frame }), placeOf(viewer, seriesUid, instanceUid));
  });
}

/** Where an image is: its series, and its number where its series has been read. */
function placeOf({ studies }: Viewer, seriesUid: string, instanceUid: string): string {
  const series = studies.flatMap((study) => study.series).find(({ uid }) => uid === seriesUid);
  const number = series?.instances.find(({ uid }) => uid === instanceUid)?.number;
  const name = series ? series.description || `${series.modality} ${series.number ?? ""}`.trim() : "";
  return [name, number === undefined ? "" : t("image {number}", { number })].filter(Boolean).join(" · ");
}

function entry(text: string, act: () => void, place = ""): HTMLLIElement {
  const button = make("button", { class: "go", type: "button" }, make("b", {}, icon("star"), text));
  if (place) button.append(make("span", {}, place));
  button.addEventListener("click", act);
  return make("li", {}, button);
}

/** Shows the key images of all studies as one stack: nothing else is scrolled through. */
async function showAll(viewer: Viewer): Promise<void> {
  const named = [...selections.values()].flatMap((some) => some.flatMap(({ images }) => images));
  const pictures = await picturesOf(viewer, named);
  const [first] = pictures;
  if (!first) return tell(t("None of the key images is among the series that are open."));
  const stack: Stack = { key: "key images", series: first.instance.series, pictures, document: undefined, part: t("key images") };
  await viewer.grid.active.show(stack, 0);
  viewer.changed();
}

async function picturesOf(viewer: Viewer, named: Named[]): Promise<Picture[]> {
  const wanted = new Set(named.map(({ seriesUid }) => seriesUid));
  const series = viewer.studies.flatMap((study) => study.series).filter(({ uid }) => wanted.has(uid));
  await Promise.allSettled(series.map((one) => loadInstances(one)));
  const all = series.flatMap(stacksOf).flatMap(({ pictures }) => pictures);
  return all.filter(({ instance, frame }) => named.some((one) => one.instanceUid === instance.uid && (one.frame ?? 1) === frame));
}
