/** The displayed area of a presentation state (PS3.3 C.10.4), and where pixels of an image lie on the screen. */
import { metaData, type Types } from "@cornerstonejs/core";
import { number, numbers, text, type Dataset } from "../dataset";
import type { Point2, Point3 } from "../model";

interface Plane {
  imagePositionPatient: Point3;
  rowCosines: Point3;
  columnCosines: Point3;
  rowPixelSpacing: number;
  columnPixelSpacing: number;
  rows: number;
  columns: number;
}

/** Left, top, right and bottom edge in pixels of the image, from its upper left corner. */
export type Area = [number, number, number, number];

function planeOf(viewport: Types.IStackViewport): Plane {
  return metaData.get("imagePlaneModule", viewport.getCurrentImageId()) as Plane;
}

/** A place on the image, 0\0 the corner of its first pixel, in the viewport's world. */
export function toWorld(viewport: Types.IStackViewport, [column, row]: Point2): Point3 {
  const { imagePositionPatient: at, rowCosines, columnCosines, rowPixelSpacing, columnPixelSpacing } = planeOf(viewport);
  const [along, down] = [(column - 0.5) * columnPixelSpacing, (row - 0.5) * rowPixelSpacing];
  return [0, 1, 2].map((axis) => (at[axis] ?? 0) + (rowCosines[axis] ?? 0) * along + (columnCosines[axis] ?? 0) * down) as Point3;
}

/** The same in CSS pixels of the viewport. */
export function toCanvas(viewport: Types.IStackViewport, place: Point2): Point2 {
  return viewport.worldToCanvas(toWorld(viewport, place)) as Point2;
}

/** The area that is to be seen; all of the image where the state does not say. */
export function areaOf(viewport: Types.IStackViewport, item: Dataset | undefined): Area {
  const { rows, columns } = planeOf(viewport);
  const corners = item ? [...numbers(item, "00700052"), ...numbers(item, "00700053")] : [];
  const [a, b, c, d] = corners;
  if (a === undefined || b === undefined || c === undefined || d === undefined) return [0, 0, columns, rows];
  // Corner pixels count from 1 and lie within; which is upper left depends on how the image is turned.
  return [Math.min(a, c) - 1, Math.min(b, d) - 1, Math.max(a, c), Math.max(b, d)];
}

/** Brings the area of a state to the middle, as large as fits or as large as the state says. */
export function showArea(viewport: Types.IStackViewport, item: Dataset | undefined, rotation: number): void {
  const plane = planeOf(viewport);
  const [left, top, right, bottom] = areaOf(viewport, item);
  const middle = toWorld(viewport, [(left + right) / 2, (top + bottom) / 2]);
  const size: Point2 = [(right - left) * plane.columnPixelSpacing, (bottom - top) * plane.rowPixelSpacing];
  const [width, height] = rotation % 180 ? [size[1], size[0]] : size;
  const { clientWidth, clientHeight } = viewport.element;
  const { focalPoint, position } = viewport.getCamera();
  if (!focalPoint || !position || !clientWidth || !clientHeight) return;
  const moved = position.map((value, axis) => value + (middle[axis] ?? 0) - (focalPoint[axis] ?? 0)) as Point3;
  const fitting = Math.max(height, (width * clientHeight) / clientWidth) / 2;
  const parallelScale = fixedScale(viewport, item, plane) ?? fitting;
  viewport.setCamera({ focalPoint: middle, position: moved, parallelScale });
}

/** Half the height in mm where the state fixes how large a pixel is: MAGNIFY, TRUE SIZE. */
function fixedScale(viewport: Types.IStackViewport, item: Dataset | undefined, plane: Plane): number | undefined {
  const mode = item ? text(item, "00700100") : "";
  const height = viewport.element.clientHeight;
  const magnified = item ? number(item, "00700103") : undefined;
  if (mode === "MAGNIFY" && magnified) return (height * plane.rowPixelSpacing) / magnified / devicePixelRatio / 2;
  const spacing = item ? numbers(item, "00700101")[0] : undefined;
  // CSS has 96 pixels in an inch; how large they are the browser does not know better.
  return mode === "TRUE SIZE" && spacing ? ((height * 25.4) / 96 / 2) * (plane.rowPixelSpacing / spacing) : undefined;
}
