/** Shutters of a presentation state (PS3.3 C.7.6.11): what is outside of them is covered. */
import type { Types } from "@cornerstonejs/core";
import { number, numbers, texts, type Dataset } from "../dataset";
import type { Point2 } from "../model";
import { shutterColourOf } from "./colours";
import { toCanvas } from "./displayed_area";
import { svg } from "./graphics";

const ROUND = 72;

/** A cover with a hole in it, null where the state has no shutter. What several shutters leave open is open in all. */
export function shutterOf(data: Dataset, viewport: Types.IStackViewport): SVGElement | null {
  const outlines = texts(data, "00181600").flatMap((shape) => OUTLINES[shape]?.(data) ?? []).filter((outline) => outline.length > 2);
  if (!outlines.length) return null;
  const group = svg("g", { fill: shutterColourOf(data), "fill-rule": "evenodd" });
  for (const outline of outlines) {
    const hole = outline.map((place) => toCanvas(viewport, place).map((value) => value.toFixed(1)).join(" ")).join("L");
    group.append(svg("path", { d: `M-9999 -9999H19999V19999H-9999ZM${hole}Z` }));
  }
  return group;
}

/** Edges and centres count pixels from 1: their middle is half a pixel from the corner. */
const OUTLINES: Record<string, (data: Dataset) => Point2[][]> = {
  RECTANGULAR: (data) => {
    const [left, right, top, bottom] = ["00181602", "00181604", "00181606", "00181608"].map((tag) => number(data, tag));
    if (left === undefined || right === undefined || top === undefined || bottom === undefined) return [];
    return [[[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]];
  },
  CIRCULAR: (data) => {
    const [row, column] = numbers(data, "00181610");
    const radius = number(data, "00181612");
    if (row === undefined || column === undefined || !radius) return [];
    const turns = Array.from({ length: ROUND }, (_, at) => (at / ROUND) * 2 * Math.PI);
    return [turns.map((turn): Point2 => [column - 0.5 + radius * Math.cos(turn), row - 0.5 + radius * Math.sin(turn)])];
  },
  POLYGONAL: (data) => {
    const told = numbers(data, "00181620");
    const pairs = Array.from({ length: told.length >> 1 }, (_, at): Point2 => [(told[at * 2 + 1] ?? 0) - 0.5, (told[at * 2] ?? 0) - 0.5]);
    return [pairs];
  },
};
