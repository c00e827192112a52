/** Measurements as DICOM SR: the server writes them as a report into the study, and reads all reports of the study. */
import { call } from "../../pages/api";
import { t } from "../../pages/words";
import { tell } from "../dom";
import { currentMeasurements, whenMeasured } from "../measurements";
import type { MeasuredValue, Measurement, MeasurementKind, Point2, Study } from "../model";

interface Told {
  id: string;
  kind: MeasurementKind;
  label: string;
  instance: string;
  series: string;
  frame: number;
  points: Point2[];
  values: MeasuredValue[];
  document: string;
  mine: boolean;
}

interface Kept {
  /** Own reports, whose measurements the next one takes over. */
  own: Set<string>;
  /** What one has saved before. */
  mine: Measurement[];
  /** What others have measured, as it was told: it is saved again only where it was changed. */
  others: Map<string, string>;
}

const kept = new Map<string, Kept>();
/** What was put on images: what is not there any more was taken away, what never was stays saved. */
const seen = new Set<string>();
whenMeasured(() => currentMeasurements().forEach(({ id }) => seen.add(id)));

/** Stores measurements in the study as a report of one's own, which takes the place of earlier ones. Rejects with an Error
 * that is a sentence for people. */
export async function saveMeasurements(study: Study, measurements: Measurement[]): Promise<void> {
  const { own, mine, others } = kept.get(study.uid) ?? (await read(study)).kept;
  const ids = new Set(measurements.map(({ id }) => id));
  const unseen = mine.filter(({ id }) => !seen.has(id) && !ids.has(id));
  const changed = [...unseen, ...measurements.filter((one) => others.get(one.id) !== sameness(one))];
  if (!changed.length && !own.size) throw new Error(t("There is nothing to save: these measurements are others'."));
  const body = { measurements: changed.map(asked), replaces: [...own] };
  const made = await call<{ document: string; visible: boolean }>("POST", pathOf(study), body);
  kept.set(study.uid, { own: new Set([made.document]), mine: changed, others });
  if (!made.visible) tell(t("The measurements are saved, but your account does not show reports: you will not see them here again."));
}

/** Whether one has saved measurements of the study, all of which may have been taken away since. */
export function hasSaved(study: Study): boolean {
  return (kept.get(study.uid)?.mine.length ?? 0) > 0;
}

/** The measurements that reports of the study hold, for `restoreMeasurements`. */
export async function savedMeasurementsOf(study: Study): Promise<Measurement[]> {
  return (await read(study)).measurements;
}

async function read(study: Study): Promise<{ measurements: Measurement[]; kept: Kept }> {
  const { measurements, documents } = await call<{ measurements: Told[]; documents: { document: string; mine: boolean }[] }>(
    "GET",
    pathOf(study),
  );
  const found = measurements.map((one) => measurementOf(study, one));
  const mine = found.filter((_, at) => measurements[at]?.mine);
  const others = found.filter((one) => !mine.includes(one)).map((one): [string, string] => [one.id, sameness(one)]);
  const own = documents.filter(({ mine }) => mine).map(({ document }) => document);
  const known = { own: new Set(own), mine, others: new Map(others) };
  kept.set(study.uid, known);
  return { measurements: found, kept: known };
}

function pathOf(study: Study): string {
  return `/studies/${study.uid}/measurements`;
}

/** The world is the viewer's: it knows where the image lies. */
function measurementOf(study: Study, { instance, series, ...told }: Told): Measurement {
  const { id, kind, label, values, frame, points } = told;
  return { id, kind, label, values, frame, points, studyUid: study.uid, seriesUid: series, instanceUid: instance, world: [], frameOfReferenceUid: "" };
}

function asked({ id, kind, label, values, instanceUid, frame, points }: Measurement): Record<string, unknown> {
  return { id, kind, label, values, instance: instanceUid, frame, points };
}

/** What is the same of two measurements that are one: where it lies and what it is called, to a thousandth of a pixel. */
function sameness({ kind, label, instanceUid, frame, points }: Measurement): string {
  const places = points.map((point) => point.map((value) => Math.round(value * 1000)).join()).sort();
  return JSON.stringify([kind, label, instanceUid, frame, places]);
}
