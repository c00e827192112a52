/** How studies hang: which series stand where when the viewer opens. */
import { isDerived, mayHaveImages } from "./archive";
import { text, texts, values } from "./dataset";
import type { Instance, Series, Study } from "./model";

export interface Layout {
  rows: number;
  columns: number;
}

export const LAYOUTS: readonly Layout[] = [
  { rows: 1, columns: 1 },
  { rows: 1, columns: 2 },
  { rows: 1, columns: 3 },
  { rows: 2, columns: 2 },
  { rows: 2, columns: 3 },
];

interface Protocol {
  modalities: readonly string[];
  /** By how many there are to show, at most the last: the layout's place in `LAYOUTS`. */
  layouts: readonly number[];
  /** What is counted and takes a place each: whole series, or images. */
  each: "series" | "image";
  /** Which image stands at which place, where that is fixed. */
  places?: readonly { laterality: string; view: string }[];
}

/** The first that has the study's modality is taken; the last has all of them. */
const PROTOCOLS: readonly Protocol[] = [
  {
    modalities: ["MG"],
    layouts: [0, 1, 3, 3],
    each: "image",
    places: [
      { laterality: "R", view: "CC" },
      { laterality: "L", view: "CC" },
      { laterality: "R", view: "MLO" },
      { laterality: "L", view: "MLO" },
    ],
  },
  { modalities: ["CR", "DX", "IO", "PX"], layouts: [0, 1, 2, 3], each: "image" },
  { modalities: ["MR"], layouts: [0, 1, 2, 3], each: "series" },
  { modalities: ["CT", "PT", "NM"], layouts: [0, 1], each: "series" },
  { modalities: [], layouts: [0], each: "series" },
];

/** A place of the layout: a series, and which image of it where that matters. */
export interface Place {
  series: Series;
  instance?: Instance;
}

export interface Hanging {
  layout: Layout;
  places: (Place | undefined)[];
}

/** The series that hang: those with images, those that only say where others lie last. */
export function hangable(study: Study): Series[] {
  const all = study.series.filter(mayHaveImages);
  const images = all.filter((one) => !isDerived(one));
  const series = images.length ? images : all;
  return series.sort((one, other) => Number(isLocalizer(one, all)) - Number(isLocalizer(other, all)));
}

function isLocalizer(series: Series, among: Series[]): boolean {
  const few = series.count <= 3 && among.some((other) => other.count > 10);
  return few || /\b(scout|localizer|localiser|topogram|surview|survey)\b/i.test(series.description);
}

/** Whether images have to be known to hang the study: then its series are loaded first. */
export function needsInstances(study: Study): boolean {
  return protocolOf(study)?.each === "image";
}

/** How a study hangs, beside its prior where there is one. On a narrow screen one image has it all. */
export function hang(study: Study, priors: Study[], narrow: boolean): Hanging {
  const places = placesOf(study);
  const prior = priors.flatMap((one) => hangable(one)).find((one) => one.modality === places[0]?.series.modality);
  const single = LAYOUTS[0] as Layout;
  if (narrow) return { layout: single, places: places.slice(0, 1) };
  if (prior) return { layout: LAYOUTS[1] as Layout, places: [places[0], { series: prior }] };
  const { layouts } = protocolOf(study) as Protocol;
  const layout = LAYOUTS[layouts[Math.min(places.length, layouts.length) - 1] ?? 0] ?? single;
  return { layout, places: places.slice(0, layout.rows * layout.columns) };
}

function protocolOf(study: Study): Protocol | undefined {
  const modality = hangable(study)[0]?.modality ?? "";
  return PROTOCOLS.find(({ modalities }) => modalities.includes(modality)) ?? PROTOCOLS.at(-1);
}

function placesOf(study: Study): (Place | undefined)[] {
  const protocol = protocolOf(study);
  const series = hangable(study);
  if (!series.length) return study.series.slice(0, 1).map((one) => ({ series: one }));
  if (protocol?.each !== "image") return series.map((one) => ({ series: one }));
  const images = series.flatMap((one) => one.instances.filter((instance) => instance.isImage));
  const all = images.map((instance) => ({ series: instance.series, instance }));
  if (!protocol.places || all.length < 2) return oneOfEach(all);
  const fixed = protocol.places.map((place) => all.find(({ instance }) => isAt(instance, place)));
  return fixed.filter(Boolean).length >= 2 ? fixed : oneOfEach(all);
}

/** Images of a stack stand at one place, the others are scrolled to: the first of each series, or each of an only series. */
function oneOfEach(places: Required<Place>[]): Place[] {
  const first = places.filter((place, index) => places.findIndex((other) => other.series === place.series) === index);
  return first.length > 1 ? first : places;
}

function isAt(instance: Instance, { laterality, view }: { laterality: string; view: string }): boolean {
  const { data } = instance;
  const side = text(data, "00200062") || text(data, "00200060");
  const position = text(data, "00185101") || texts(data, "00081030").join(" ");
  return side === laterality && position.toUpperCase().includes(view) && !values(data, "00080068").includes("FOR PROCESSING");
}
