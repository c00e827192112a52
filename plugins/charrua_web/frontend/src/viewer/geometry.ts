/** Where images lie in the patient (PS3.3 C.7.6.2). */
import { numbers, texts, type Dataset } from "./dataset";
import type { Point3 } from "./model";

export interface Plane {
  position: Point3;
  /** The direction of a row, from left to right. */
  row: Point3;
  /** The direction of a column, from top to bottom. */
  column: Point3;
  normal: Point3;
}

/** The plane of a frame, undefined where its data set tells none. */
export function planeOf(data: Dataset): Plane | undefined {
  const position = numbers(data, "00200032");
  const orientation = numbers(data, "00200037");
  if (position.length !== 3 || orientation.length !== 6) return undefined;
  const row = orientation.slice(0, 3) as Point3;
  const column = orientation.slice(3) as Point3;
  const normal = cross(row, column);
  if (Math.abs(dot(normal, normal) - 1) > 0.1) return undefined;
  return { position: position as Point3, row, column, normal };
}

export function cross([a, b, c]: Point3, [d, e, f]: Point3): Point3 {
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

export function dot(one: Point3, other: Point3): number {
  return one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
}

/** How far a plane lies along its own normal. */
export function depth(plane: Plane): number {
  return dot(plane.position, plane.normal);
}

/** Whether two planes look the same way, within two degrees. */
export function isParallel(one: Plane, other: Plane): boolean {
  return dot(one.normal, other.normal) > 0.9994;
}

/** The letters of a direction in the patient, the main one first: `L`, `LA`, `HFR` (C.7.6.1.1.1). */
export function letters(direction: Point3): string {
  const names = ["RL", "AP", "FH"] as const;
  return direction
    .map((value, axis) => ({ size: Math.abs(value), letter: names[axis]?.[value > 0 ? 1 : 0] ?? "" }))
    .filter(({ size }) => size > 0.2)
    .sort((one, other) => other.size - one.size)
    .map(({ letter }) => letter)
    .join("");
}

const OPPOSITE: Record<string, string> = { R: "L", L: "R", A: "P", P: "A", F: "H", H: "F" };

/** The letters of the opposite direction. */
export function opposite(direction: string): string {
  return [...direction].map((letter) => OPPOSITE[letter] ?? letter).join("");
}

export interface Edges {
  right: string;
  bottom: string;
  left: string;
  top: string;
}

/** The letters at the edges of an image that is neither turned nor flipped, "" where nothing is known. */
export function edgesOf(data: Dataset): Edges {
  const orientation = numbers(data, "00200037");
  const told = texts(data, "00200020");
  const [right, bottom] =
    orientation.length === 6
      ? [letters(orientation.slice(0, 3) as Point3), letters(orientation.slice(3) as Point3)]
      : [told[0] ?? "", told[1] ?? ""];
  return { right, bottom, left: opposite(right), top: opposite(bottom) };
}
