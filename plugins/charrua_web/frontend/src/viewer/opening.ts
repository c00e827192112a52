/** What the viewer opens with: which stacks stand where, known before Cornerstone is there. */
import { loadInstances, studiesOfPage } from "./archive";
import { config } from "./config";
import { fetchEarly } from "./frames";
import { hang, hangable, needsInstances, type Hanging, type Place } from "./hanging";
import type { Study } from "./model";
import { stacksOf, type Stack } from "./stacks";

export interface Opening {
  studies: Study[];
  hanging: Hanging;
}

/** Whether there is room for one image alone. */
export const narrow = matchMedia("(max-width: 700px)");

/** Reads what the first image needs and asks for it; everything else comes later. */
export async function open(): Promise<Opening> {
  const studies = studiesOfPage();
  const [study, ...priors] = studies;
  if (!study) throw new Error("the page has no study");
  if (needsInstances(study)) await Promise.allSettled(hangable(study).map(loadInstances));
  const hanging = chosenFirst(study, hang(study, priors, narrow.matches));
  const first = hanging.places.find((place) => place !== undefined);
  if (first) {
    await loadInstances(first.series);
    const found = await stackAt(first);
    const picture = found?.stack.pictures[found.index];
    if (picture) fetchEarly(picture);
  }
  return { studies, hanging };
}

/** What was asked for by the address stands first. */
function chosenFirst(study: Study, hanging: Hanging): Hanging {
  const series = study.series.find(({ uid }) => uid === config.chosen.series);
  if (!series) return hanging;
  const rest = hanging.places.filter((place) => place?.series !== series);
  const places = [{ series }, ...rest].slice(0, Math.max(hanging.places.length, 1));
  return { ...hanging, places };
}

/** The stack of a place and where in it to begin. Rejects where its series cannot be read. */
export async function stackAt({ series, instance }: Place): Promise<{ stack: Stack; index: number } | undefined> {
  await loadInstances(series);
  const stacks = stacksOf(series);
  const wanted = instance?.uid ?? config.chosen.instance;
  for (const stack of stacks) {
    const index = stack.pictures.findIndex((picture) => picture.instance.uid === wanted);
    if (index >= 0 || stack.document?.uid === wanted) return { stack, index: Math.max(index, 0) };
  }
  const [first] = [...stacks.filter((stack) => stack.pictures.length), ...stacks];
  return first && { stack: first, index: 0 };
}
