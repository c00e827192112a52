/** Studies, series and instances, as the server gives them. */
import { config } from "./config";
import { number, text, type Dataset } from "./dataset";
import { planeOf, depth } from "./geometry";
import { pathOf, type Instance, type Series, type Study } from "./model";

/** Video endoscopic, microscopic and photographic images. */
const VIDEO_CLASSES = new Set(["1.1.1", "1.2.1", "1.4.1"].map((end) => `1.2.840.10008.5.1.4.1.1.77.${end}`));
/** Of these no series is shown as images, whatever attributes they have. */
const DOCUMENTS = new Set(["SR", "KO", "PR", "DOC", "ECG", "AU", "PLAN", "RTPLAN", "RTSTRUCT", "RTRECORD", "REG", "FID", "ANN", "RWV", "HD", "EPS"]);

const pending = new Map<Series, Promise<Instance[]>>();

/** The studies that the page is for. */
export function studiesOfPage(): Study[] {
  return config.studies.map(({ data, series }) => {
    const study: Study = { uid: text(data, "0020000D"), data, series: [] };
    study.series = series.map((one) => seriesOf(study, one)).sort(inOrder);
    return study;
  });
}

function seriesOf(study: Study, data: Dataset): Series {
  return {
    uid: text(data, "0020000E"),
    study,
    data,
    modality: text(data, "00080060"),
    description: text(data, "0008103E"),
    number: number(data, "00200011"),
    count: number(data, "00201209") ?? 0,
    instances: [],
  };
}

/** Whether a series is of a kind that has images: known before its instances are. */
export function mayHaveImages(series: Series): boolean {
  return !DOCUMENTS.has(series.modality);
}

/** Images before what was derived from them, that before documents. */
function kindOf(series: Series): number {
  return mayHaveImages(series) ? Number(isDerived(series)) : 2;
}

/** Whether a series only says something of the images of another one. */
export function isDerived(series: Series): boolean {
  return series.modality === "SEG";
}

function inOrder(one: Series, other: Series): number {
  const kinds = kindOf(one) - kindOf(other);
  return kinds || (one.number ?? 1e9) - (other.number ?? 1e9) || one.uid.localeCompare(other.uid);
}

/** The instances of a series, asked for once. Rejects with an Error that is a sentence for people. */
export function loadInstances(series: Series): Promise<Instance[]> {
  let promise = pending.get(series);
  if (!promise) {
    promise = fetchInstances(series);
    pending.set(series, promise);
    promise.catch(() => pending.delete(series));
  }
  return promise;
}

async function fetchInstances(series: Series): Promise<Instance[]> {
  const answer = await fetch(`${pathOf(series)}/metadata`, { headers: { Accept: "application/dicom+json" } });
  if (!answer.ok) throw new Error(`The series could not be read: the server answered ${answer.status}.`);
  const told = (await answer.json()) as Dataset[];
  series.instances = told.map((data) => instanceOf(series, data)).sort(byNumber);
  series.count = series.instances.length;
  return series.instances;
}

function instanceOf(series: Series, data: Dataset): Instance {
  const sopClass = text(data, "00080016");
  const hasPixels = (number(data, "00280010") ?? 0) > 0 && (number(data, "00280011") ?? 0) > 0;
  return {
    uid: text(data, "00080018"),
    sopClass,
    series,
    data,
    number: number(data, "00200013"),
    frames: number(data, "00280008") || 1,
    isImage: hasPixels && mayHaveImages(series) && !VIDEO_CLASSES.has(sopClass),
  };
}

function byNumber(one: Instance, other: Instance): number {
  const numbers = (one.number ?? 1e9) - (other.number ?? 1e9);
  return numbers || along(one) - along(other) || one.uid.localeCompare(other.uid);
}

function along(instance: Instance): number {
  const plane = planeOf(instance.data);
  return plane ? depth(plane) : 0;
}
