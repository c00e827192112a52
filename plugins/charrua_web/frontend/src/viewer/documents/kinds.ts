/** Which instances are which kind of document, by SOP class (PS3.6 annex A). */
import { number, text } from "../dataset";
import type { Instance } from "../model";

export type Kind = "report" | "pdf" | "ecg" | "recording" | "sound" | "video" | "file" | "other";

const OF_STORAGE = "1.2.840.10008.5.1.4.1.1.";
const ECGS = new Set(["9.1.1", "9.1.2", "9.1.3", "9.1.4"]);
const SOUNDS = new Set(["9.4.1", "9.4.2"]);
const FILES = new Set(["104.2", "104.3", "104.4", "104.5"]);

export const KEY_OBJECTS = `${OF_STORAGE}88.59`;

/** The kind of an instance; `other` where a person sees nothing of it here. */
export function kindOf({ sopClass, data }: Instance): Kind {
  const end = sopClass.startsWith(OF_STORAGE) ? sopClass.slice(OF_STORAGE.length) : "";
  if (end.startsWith("88.")) return "report";
  if (end === "104.1") return "pdf";
  if (ECGS.has(end)) return "ecg";
  if (SOUNDS.has(end)) return "sound";
  if (end.startsWith("9.")) return "recording";
  if (FILES.has(end)) return "file";
  // What has rows and comes here is no image: the viewer has tried.
  return number(data, "00280010") ? "video" : "other";
}

/** Its title as a person reads it: what the document is called, else its series. */
export function titleOf({ data, series }: Instance): string {
  const concept = text(conceptOf(data), "00080104");
  return text(data, "00420010") || series.description || concept || series.modality;
}

function conceptOf(data: Instance["data"]): Instance["data"] {
  return (data["0040A043"]?.Value?.[0] as Instance["data"] | undefined) ?? {};
}
