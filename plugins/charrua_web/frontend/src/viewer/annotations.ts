/** Cornerstone's annotations and this viewer's measurements: one from the other. */
import { cache, utilities, type Types } from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { t } from "../pages/words";
import { frameData } from "./functional";
import { dot } from "./geometry";
import { isPicture } from "./loader";
import { rounded, scaleOf, valuesOf, type Sample } from "./measure";
import type { MeasuredValue, Measurement, MeasurementKind, Point2, Point3 } from "./model";
import { provide } from "./modules";
import { pictureOf, type Picture } from "./stacks";

type Annotation = tools.Types.Annotation;

const KINDS: Record<string, MeasurementKind> = {
  [tools.LengthTool.toolName]: "length",
  [tools.AngleTool.toolName]: "angle",
  [tools.EllipticalROITool.toolName]: "ellipse",
  [tools.RectangleROITool.toolName]: "rectangle",
  [tools.ArrowAnnotateTool.toolName]: "arrow",
  [tools.ProbeTool.toolName]: "probe",
};
const TOOL_OF = Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [kind, name]));

const SHOWN: Record<string, string> = { mean: "x̄", deviation: "σ", minimum: "min", maximum: "max" };

interface Plane {
  imagePositionPatient: Point3;
  rowCosines: Point3;
  columnCosines: Point3;
  rowPixelSpacing: number;
  columnPixelSpacing: number;
  frameOfReferenceUID: string;
}

/** The kind of measurement that an annotation is, undefined for crosshairs and the like. */
export function kindOf(annotation: Annotation): MeasurementKind | undefined {
  return KINDS[annotation.metadata?.toolName ?? ""];
}

/** Where a point of the world lies on an image, from the centre of its first pixel. */
export function toImage(picture: Picture, world: Point3): Point2 {
  const plane = planeOf(picture);
  const away = world.map((value, axis) => value - (plane.imagePositionPatient[axis] ?? 0)) as Point3;
  return [dot(away, plane.rowCosines) / plane.columnPixelSpacing, dot(away, plane.columnCosines) / plane.rowPixelSpacing];
}

function toWorld(picture: Picture, [column, row]: Point2): Point3 {
  const { imagePositionPatient: at, rowCosines, columnCosines, rowPixelSpacing, columnPixelSpacing } = planeOf(picture);
  const along = (axis: number): number =>
    at[axis]! + rowCosines[axis]! * column * columnPixelSpacing + columnCosines[axis]! * row * rowPixelSpacing;
  return [along(0), along(1), along(2)];
}

function planeOf(picture: Picture): Plane {
  return provide("imagePlaneModule", picture.id) as Plane;
}

/** The values of an image that is loaded, undefined where it holds none that mean something. */
export function sampleOf(imageId: string): Sample | undefined {
  const image = cache.getImage(imageId);
  if (!image || image.color || isPicture(imageId)) return undefined;
  const pixels = image.getPixelData();
  const { columns, rows, preScale, slope, intercept } = image;
  const rescale = preScale?.scaled ? (value: number) => value : (value: number) => value * slope + intercept;
  return (column, row) => {
    const inside = column >= 0 && row >= 0 && column < columns && row < rows;
    return inside ? rescale(pixels[row * columns + column] as number) : undefined;
  };
}

/** The points of an annotation in the order of `Measurement.points`, in the world. */
function worldPoints(annotation: Annotation): Point3[] {
  const points = (annotation.data.handles?.points ?? []) as Point3[];
  // Cornerstone has a rectangle's corners by rows.
  return kindOf(annotation) === "rectangle" ? [points[0]!, points[1]!, points[3]!, points[2]!] : points;
}

/** The measurement that an annotation is; undefined where it is none, or its image is not of this viewer. */
export function measurementOf(annotation: Annotation): Measurement | undefined {
  const kind = kindOf(annotation);
  const picture = pictureOf(annotation.metadata?.referencedImageId ?? "");
  if (!kind || !picture || !annotation.annotationUID) return undefined;
  const world = worldPoints(annotation);
  const { instance, frame } = picture;
  return {
    id: annotation.annotationUID,
    kind,
    label: annotation.data.label ?? "",
    values: measured(kind, picture, world),
    studyUid: instance.series.study.uid,
    seriesUid: instance.series.uid,
    instanceUid: instance.uid,
    frame,
    points: world.map((point) => toImage(picture, point).map((value) => value + 0.5) as Point2),
    world,
    frameOfReferenceUid: planeOf(picture).frameOfReferenceUID,
  };
}

function measured(kind: MeasurementKind, picture: Picture, world: Point3[]): MeasuredValue[] {
  const data = frameData(picture.instance, picture.frame);
  const points = world.map((point) => toImage(picture, point));
  return valuesOf(kind, points, data, picture.instance.series.modality, sampleOf(picture.id));
}

/** What stands at an annotation of a tool. */
export function linesOf(toolName: string): (data: Annotation["data"], target: string | string[]) => string[] {
  const kind = KINDS[toolName];
  return (data, target) => {
    const picture = pictureOf(String([target].flat()[0] ?? "").replace(/^imageId:/, ""));
    if (!picture || !kind) return data.label ? [data.label] : [];
    const points = worldPoints({ data, metadata: { toolName } } as Annotation);
    const lines = remembered(data, points, () => measured(kind, picture, points)).map(lineOf);
    const detector = kind !== "angle" && kind !== "probe" && isAtDetector(picture, points);
    return [data.label ?? "", ...lines, detector ? t("at the detector") : ""].filter(Boolean);
  };
}

function isAtDetector(picture: Picture, world: Point3[]): boolean {
  const points = world.map((point) => toImage(picture, point));
  return scaleOf(frameData(picture.instance, picture.frame), points).atDetector;
}

/** One value as it is read: `12.3 mm`, `x̄ 41 HU`. */
export function lineOf({ name, value, unit }: MeasuredValue): string {
  return [SHOWN[name] ?? "", rounded(value), unit].filter(Boolean).join(" ").replace(" °", "°");
}

const memory = new WeakMap<object, { key: string; values: MeasuredValue[] }>();

/** The values of points that have not moved since they were measured: an annotation is drawn many times. */
function remembered(data: object, points: Point3[], make: () => MeasuredValue[]): MeasuredValue[] {
  const key = JSON.stringify(points);
  const known = memory.get(data);
  if (known?.key === key && known.values.length) return known.values;
  const values = make();
  memory.set(data, { key, values });
  return values;
}

/** Gives the annotation of a measurement, undefined where its image is not here. */
export function annotationOf(measurement: Measurement): Annotation | undefined {
  const picture = pictureOf(`charrua:${measurement.instanceUid}/${measurement.frame}`);
  if (!picture) return undefined;
  const plane = planeOf(picture);
  const world = measurement.points.map(([column, row]) => toWorld(picture, [column - 0.5, row - 0.5]));
  const points = measurement.kind === "rectangle" ? [world[0]!, world[1]!, world[3]!, world[2]!] : world;
  const [a, b, c] = plane.rowCosines;
  const [d, e, f] = plane.columnCosines;
  return {
    annotationUID: measurement.id,
    highlighted: false,
    invalidated: true,
    isLocked: false,
    isVisible: true,
    metadata: {
      toolName: TOOL_OF[measurement.kind] as string,
      referencedImageId: picture.id,
      FrameOfReferenceUID: plane.frameOfReferenceUID,
      viewPlaneNormal: [b * f - c * e, c * d - a * f, a * e - b * d] as Types.Point3,
      viewUp: plane.columnCosines.map((value) => -value) as Types.Point3,
    },
    data: {
      label: measurement.label,
      text: measurement.label,
      handles: { points, activeHandleIndex: null, textBox: emptyBox() },
      cachedStats: {},
    },
  } as unknown as Annotation;
}

function emptyBox(): object {
  const zero = [0, 0, 0];
  const worldBoundingBox = { topLeft: zero, topRight: zero, bottomLeft: zero, bottomRight: zero };
  return { hasMoved: false, worldPosition: zero, worldBoundingBox };
}

/** A new identifier for what has none. */
export const newId = (): string => utilities.uuidv4();
