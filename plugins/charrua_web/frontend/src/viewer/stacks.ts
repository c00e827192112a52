/** Stacks: what one viewport scrolls through. A series gives one or several. */
import { number, text, values } from "./dataset";
import { frameData } from "./functional";
import type { Instance, Series } from "./model";

/** One frame of one instance, under the identifier that Cornerstone knows it by. */
export interface Picture {
  id: string;
  instance: Instance;
  /** From 1. */
  frame: number;
}

export interface Stack {
  key: string;
  series: Series;
  /** Its images in order; none where the stack is a document. */
  pictures: Picture[];
  /** The instance that is shown by `showDocument`, undefined where the stack is images. */
  document: Instance | undefined;
  /** Which of the series' stacks it is, "" where it is the only one. */
  part: string;
}

export const SCHEME = "charrua";

const known = new Map<string, Picture>();
const made = new Map<Series, Stack[]>();

/** The picture of an identifier that `stacksOf` gave. */
export function pictureOf(imageId: string): Picture | undefined {
  return known.get(imageId);
}

/** Images of which each is looked at by itself. */
const SINGLE = new Set(["CR", "DX", "MG", "IO", "PX", "RF", "XA", "US", "XC", "ES", "OP", "SC", "OT"]);

/** The stacks of a series whose instances are loaded. */
export function stacksOf(series: Series): Stack[] {
  let stacks = made.get(series);
  if (!stacks) made.set(series, (stacks = divided(series)));
  return stacks;
}

function divided(series: Series): Stack[] {
  const groups = new Map<string, Instance[]>();
  for (const instance of series.instances) {
    const key = groupOf(instance);
    groups.set(key, [...(groups.get(key) ?? []), instance]);
  }
  const several = groups.size > 1;
  return [...groups].map(([key, instances], at) => stackOf(series, key, instances, several ? String(at + 1) : ""));
}

/** Instances of a series with the same answer are scrolled through together. */
function groupOf(instance: Instance): string {
  const { data, uid, series } = instance;
  if (!instance.isImage || instance.frames > 1) return uid;
  if (series.modality === "MG") return uid;
  const size = SINGLE.has(series.modality) ? "" : `${number(data, "00280010")}×${number(data, "00280011")}`;
  const isLocalizer = values(data, "00080008").includes("LOCALIZER");
  return `${instance.sopClass} ${isLocalizer} ${size}`;
}

function stackOf(series: Series, key: string, instances: Instance[], part: string): Stack {
  const [first] = instances;
  const pictures = instances.filter((one) => one.isImage).flatMap(picturesOf);
  const document = pictures.length ? undefined : first;
  return { key: `${series.uid} ${key}`, series, pictures, document, part };
}

function picturesOf(instance: Instance): Picture[] {
  return Array.from({ length: instance.frames }, (_, index) => {
    const picture = { id: `${SCHEME}:${instance.uid}/${index + 1}`, instance, frame: index + 1 };
    known.set(picture.id, picture);
    return picture;
  });
}

/** Frames per second at which a stack wants to be played (PS3.3 C.7.6.5), undefined where it says nothing. */
export function ownRate(stack: Stack): number | undefined {
  const data = stack.pictures[0]?.instance.data;
  if (!data) return undefined;
  const time = number(data, "00181063");
  return number(data, "00082144") || number(data, "00180040") || (time ? 1000 / time : undefined);
}

/** What a stack is called. */
export function nameOf(stack: Stack): string {
  const { series } = stack;
  const data = stack.pictures[0] ? frameData(stack.pictures[0].instance, 1) : undefined;
  const view = data && series.modality === "MG" ? [text(data, "00200062"), text(data, "00185101")].join(" ").trim() : "";
  return [view, series.description, stack.part].filter(Boolean).join(" · ") || `${series.modality} ${series.number ?? ""}`.trim();
}
