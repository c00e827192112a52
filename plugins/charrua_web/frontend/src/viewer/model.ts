/** What the viewer shows: studies with their series and instances, each with its data set as the server gave it. */
import type { Dataset } from "./dataset";

export interface Study {
  uid: string;
  /** As QIDO-RS gives a study. */
  data: Dataset;
  /** In the order in which they are shown; documents, presentation states and key objects are among them. */
  series: Series[];
}

export interface Series {
  uid: string;
  study: Study;
  /** As QIDO-RS gives a series. */
  data: Dataset;
  modality: string;
  description: string;
  /** Series Number, undefined where it has none. */
  number: number | undefined;
  /** How many instances the server says there are. */
  count: number;
  /** In the order in which they are shown; empty until `loadInstances(series)` has answered. */
  instances: Instance[];
}

export interface Instance {
  /** SOP Instance UID. */
  uid: string;
  sopClass: string;
  series: Series;
  /** Its metadata as WADO-RS gives it: no pixels, bulk data as links. */
  data: Dataset;
  /** Instance Number, undefined where it has none. */
  number: number | undefined;
  /** Number of Frames, 1 where it has none. */
  frames: number;
  /** Whether it has pixels that a viewport can show; everything else goes to `showDocument`. */
  isImage: boolean;
}

export type Point2 = [number, number];
export type Point3 = [number, number, number];

export type MeasurementKind = "length" | "angle" | "ellipse" | "rectangle" | "arrow" | "probe";

/** One number that a measurement gives. */
export interface MeasuredValue {
  /** `length`, `angle`, `area`, `mean`, `deviation`, `minimum`, `maximum`, `value`. */
  name: string;
  value: number;
  /** As it is shown: mm, px, °, mm², px², HU, or "" for a stored value without a unit. */
  unit: string;
}

/** What a person measured or marked on one frame. */
export interface Measurement {
  id: string;
  kind: MeasurementKind;
  /** What the person called it, "" where it has no name. */
  label: string;
  values: MeasuredValue[];
  studyUid: string;
  seriesUid: string;
  instanceUid: string;
  /** From 1. */
  frame: number;
  /**
   * Column and row on the frame as SCOORD counts them (PS3.3 C.18.6): 0\0 is the top left corner of the top left pixel.
   * length: two ends; angle: end, vertex, end; ellipse: both ends of one axis, then of the other; rectangle: four corners
   * around; arrow: tip, tail; probe: one point.
   */
  points: Point2[];
  /** The same in the patient's coordinates, in mm; where the image has no place there, in the image's own. */
  world: Point3[];
  frameOfReferenceUid: string;
}

/** The path of the server's DICOMweb services for a study, series or instance, below the root of the server. */
export function pathOf(object: Study | Series | Instance): string {
  if ("sopClass" in object) return `${pathOf(object.series)}/instances/${object.uid}`;
  if ("study" in object) return `${pathOf(object.study)}/series/${object.uid}`;
  return `/dicom-web/studies/${object.uid}`;
}
