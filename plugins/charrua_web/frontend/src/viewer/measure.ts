/** What is measured between points of a frame: pure arithmetic, no viewport. Points count as columns and rows, from the
 * centre of the first pixel. */
import { items, number, text, type Dataset } from "./dataset";
import type { MeasuredValue, MeasurementKind, Point2 } from "./model";
import { spacingOf } from "./modules";

/** How large a pixel is where the points lie. */
export interface Scale {
  x: number;
  y: number;
  unit: "mm" | "px";
  /** Whether lengths are those on the detector, larger than the patient's. */
  atDetector: boolean;
}

/** Gives the value of a pixel, undefined outside of the image or where values mean nothing. */
export type Sample = (column: number, row: number) => number | undefined;

/** Largest number of pixels in a region of which a mean is made while it is drawn. */
const MOST_PIXELS = 4_000_000;
const CENTIMETRES = 3;

/** The scale for points of an image: of the ultrasound region around them all, else of its spacing. */
export function scaleOf(data: Dataset, points: Point2[]): Scale {
  const region = items(data, "00186011").find((one) => points.every((point) => isWithin(one, point)));
  if (region && number(region, "00186024") === CENTIMETRES && number(region, "00186026") === CENTIMETRES) {
    const [x, y] = [number(region, "0018602C") ?? 0, number(region, "0018602E") ?? 0];
    if (x && y) return { x: Math.abs(x) * 10, y: Math.abs(y) * 10, unit: "mm", atDetector: false };
  }
  const { row, column, source } = spacingOf(data);
  return { x: column, y: row, unit: source ? "mm" : "px", atDetector: source === "detector" };
}

function isWithin(region: Dataset, [x, y]: Point2): boolean {
  const [left, top] = [number(region, "00186018") ?? 0, number(region, "0018601A") ?? 0];
  const [right, bottom] = [number(region, "0018601C") ?? -1, number(region, "0018601E") ?? -1];
  return x >= left && x <= right && y >= top && y <= bottom;
}

/** What the values of an image's pixels are in: HU of CT, units of PET, else what the rescale says. */
export function unitOf(data: Dataset, modality: string): string {
  const type = text(data, "00281054");
  if (type) return type === "US" ? "" : type;
  if (modality === "PT") return text(data, "00541001");
  return modality === "CT" ? "HU" : "";
}

export function lengthBetween(one: Point2, other: Point2, { x, y }: Scale): number {
  return Math.hypot((other[0] - one[0]) * x, (other[1] - one[1]) * y);
}

/** The angle at the middle of three points, 0 to 180 degrees. */
export function angleAt([one, vertex, other]: [Point2, Point2, Point2], { x, y }: Scale): number {
  const [ax, ay] = [(one[0] - vertex[0]) * x, (one[1] - vertex[1]) * y];
  const [bx, by] = [(other[0] - vertex[0]) * x, (other[1] - vertex[1]) * y];
  return (Math.abs(Math.atan2(ax * by - ay * bx, ax * bx + ay * by)) * 180) / Math.PI;
}

/** A region by its origin and two axes; what is inside has both coordinates along them in its `contains`. */
interface Region {
  origin: Point2;
  first: Point2;
  second: Point2;
  area: number;
  contains: (along: number, across: number) => boolean;
  bounds: Point2[];
}

/** The region of an ellipse (both ends of one axis, then of the other) or of a rectangle (its corners around). */
function regionOf(kind: MeasurementKind, points: Point2[]): Region | undefined {
  const [a, b, c, d] = points;
  if (!a || !b || !c || !d) return undefined;
  if (kind === "rectangle") {
    const [first, second] = [minus(b, a), minus(d, a)];
    return { origin: a, first, second, area: area(first, second), contains: inUnitSquare, bounds: points };
  }
  const [first, second] = [half(minus(b, a)), half(minus(d, c))];
  const origin: Point2 = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const reach = Math.hypot(...first) + Math.hypot(...second);
  const bounds: Point2[] = [
    [origin[0] - reach, origin[1] - reach],
    [origin[0] + reach, origin[1] + reach],
  ];
  return { origin, first, second, area: Math.PI * area(first, second), contains: (u, v) => u * u + v * v <= 1, bounds };
}

const minus = (one: Point2, other: Point2): Point2 => [one[0] - other[0], one[1] - other[1]];
const half = ([x, y]: Point2): Point2 => [x / 2, y / 2];
const area = (one: Point2, other: Point2): number => Math.abs(one[0] * other[1] - one[1] * other[0]);
const inUnitSquare = (u: number, v: number): boolean => u >= 0 && u <= 1 && v >= 0 && v <= 1;

/** Mean, standard deviation, least and largest value of the pixels whose centres are inside. */
function statistics(region: Region, sample: Sample): { mean: number; deviation: number; least: number; most: number } | undefined {
  const { origin, first, second, bounds, contains } = region;
  const determinant = first[0] * second[1] - first[1] * second[0];
  const span = (axis: 0 | 1): [number, number] => {
    const along = bounds.map((point) => point[axis]);
    return [Math.ceil(Math.min(...along)), Math.floor(Math.max(...along))];
  };
  const [[left, right], [top, bottom]] = [span(0), span(1)];
  if (!determinant || (right - left) * (bottom - top) > MOST_PIXELS) return undefined;
  let [count, mean, squares, least, most] = [0, 0, 0, Infinity, -Infinity];
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const [x, y] = [column - origin[0], row - origin[1]];
      const along = (x * second[1] - y * second[0]) / determinant;
      const across = (first[0] * y - first[1] * x) / determinant;
      const value = contains(along, across) ? sample(column, row) : undefined;
      if (value === undefined) continue;
      count += 1;
      const before = value - mean;
      mean += before / count; // Welford: exact for large values
      squares += before * (value - mean);
      [least, most] = [Math.min(least, value), Math.max(most, value)];
    }
  }
  return count ? { mean, deviation: Math.sqrt(squares / count), least, most } : undefined;
}

/** The numbers that a measurement of a kind gives. */
export function valuesOf(
  kind: MeasurementKind,
  points: Point2[],
  data: Dataset,
  modality: string,
  sample: Sample | undefined,
): MeasuredValue[] {
  const scale = scaleOf(data, points);
  const unit = unitOf(data, modality);
  const [a, b, c] = points;
  if (kind === "length" && a && b) return [{ name: "length", value: lengthBetween(a, b, scale), unit: scale.unit }];
  if (kind === "angle" && a && b && c) return [{ name: "angle", value: angleAt([a, b, c], scale), unit: "°" }];
  if (kind === "probe" && a) {
    const value = sample?.(Math.round(a[0]), Math.round(a[1]));
    return value === undefined ? [] : [{ name: "value", value, unit }];
  }
  const region = kind === "ellipse" || kind === "rectangle" ? regionOf(kind, points) : undefined;
  if (!region) return [];
  const found = sample && statistics(region, sample);
  return [
    { name: "area", value: region.area * scale.x * scale.y, unit: `${scale.unit}²` },
    ...(found
      ? [
          { name: "mean", value: found.mean, unit },
          { name: "deviation", value: found.deviation, unit },
          { name: "minimum", value: found.least, unit },
          { name: "maximum", value: found.most, unit },
        ]
      : []),
  ];
}

/** A number as it is shown: three digits that count, no more than two after the point. */
export function rounded(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}
