/** Key images: what a study's Key Object Selections name, and the mark for the image in sight. */
import { call } from "../../pages/api";
import { t } from "../../pages/words";
import { tell } from "../dom";
import type { Instance, Study } from "../model";

export interface KeyObject {
  /** SOP Instance UID of the selection. */
  document: string;
  /** Its title, as "Of Interest", with what its author wrote. */
  label: string;
  /** Whether whoever looks has selected it, and may take it back. */
  mine: boolean;
  images: { seriesUid: string; instanceUid: string; frame: number | undefined }[];
}

interface Told {
  document: string;
  title: string;
  description: string;
  author: string;
  mine: boolean;
  images: { instance: string; series: string; frames: number[] }[];
}

/** The key object selections of a study, the newest first. */
export async function keyObjectsOf(study: Study): Promise<KeyObject[]> {
  const { selections } = await call<{ selections: Told[] }>("GET", pathOf(study));
  return selections.map(({ document, title, description, mine, images }) => ({
    document,
    label: [title, description].filter(Boolean).join(": "),
    mine,
    images: images.flatMap(({ instance, series, frames }) =>
      (frames.length ? frames : [undefined]).map((frame) => ({ seriesUid: series, instanceUid: instance, frame })),
    ),
  }));
}

/** Selects an image, or a frame of it, as a key image "of interest". Rejects with an Error that is a sentence for people. */
export async function markKeyImage(instance: Instance, frame: number): Promise<KeyObject> {
  const image = { instance: instance.uid, frames: instance.frames > 1 ? [frame] : [] };
  const { study } = instance.series;
  const made = await call<{ document: string; visible: boolean }>("POST", pathOf(study), { images: [image] });
  if (!made.visible) tell(t("The key image is saved, but your account does not show selections: you will not see it here again."));
  const named = { seriesUid: instance.series.uid, instanceUid: instance.uid, frame: instance.frames > 1 ? frame : undefined };
  return { document: made.document, label: t("Of Interest"), mine: true, images: [named] };
}

/** Takes a selection back. Rejects with an Error that is a sentence for people. */
export async function takeBackKeyImages(study: Study, { document }: KeyObject): Promise<void> {
  await call("DELETE", `${pathOf(study)}/${document}`);
}

function pathOf(study: Study): string {
  return `/studies/${study.uid}/key-objects`;
}
