/** Graphic annotations of a presentation state (PS3.3 C.10.5) as SVG in the pixels of the viewport. */
import type { Types } from "@cornerstonejs/core";
import { items, numbers, text, type Dataset } from "../dataset";
import type { Point2 } from "../model";
import { toCanvas, type Area } from "./displayed_area";

/** What is drawn upon. */
export interface Ground {
  viewport: Types.IStackViewport;
  area: Area;
}

const SPACE = "http://www.w3.org/2000/svg";

/** Makes an element of a drawing. */
export function svg<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Record<string, string | number> = {}): SVGElementTagNameMap[Name] {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** All shapes and texts of an annotation. */
export function shapesOf(annotation: Dataset, colour: string, ground: Ground): SVGElement[] {
  const shapes = items(annotation, "00700009").flatMap((one) => shapeOf(one, colour, ground) ?? []);
  return [...shapes, ...items(annotation, "00700008").flatMap((one) => textOf(one, colour, ground))];
}

/** Where a place lies: told in pixels of the image, or in fractions of the displayed area on the screen. */
function placed(place: Point2, units: string, { viewport, area }: Ground): Point2 {
  if (units !== "DISPLAY") return toCanvas(viewport, place);
  const corners = [toCanvas(viewport, [area[0], area[1]]), toCanvas(viewport, [area[2], area[3]])] as [Point2, Point2];
  return [0, 1].map((axis) => {
    const ends = corners.map((corner) => corner[axis as 0 | 1]);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    return low + (high - low) * (place[axis as 0 | 1] ?? 0);
  }) as Point2;
}

function shapeOf(graphic: Dataset, colour: string, ground: Ground): SVGElement | undefined {
  const told = numbers(graphic, "00700022");
  const units = text(graphic, "00700005");
  const points = Array.from({ length: told.length >> 1 }, (_, at) => placed([told[at * 2] ?? 0, told[at * 2 + 1] ?? 0], units, ground));
  const look = { stroke: colour, fill: text(graphic, "00700024") === "Y" ? colour : "none", "stroke-width": 1.5 };
  return SHAPES[text(graphic, "00700023")]?.(points, look);
}

type Look = Record<string, string | number>;

const SHAPES: Record<string, (points: Point2[], look: Look) => SVGElement | undefined> = {
  POINT: ([point], look) => point && svg("circle", { cx: point[0], cy: point[1], r: 2.5, ...look, fill: String(look.stroke) }),
  POLYLINE: (points, look) => svg("polyline", { points: points.map((point) => point.join()).join(" "), ...look }),
  INTERPOLATED: (points, look) => svg("path", { d: smooth(points), ...look }),
  CIRCLE: ([centre, edge], look) => centre && edge && svg("circle", { cx: centre[0], cy: centre[1], r: distance(centre, edge), ...look }),
  ELLIPSE: ([a, b, c, d], look) => {
    if (!a || !b || !c || !d) return undefined;
    const turn = (Math.atan2(b[1] - a[1], b[0] - a[0]) * 180) / Math.PI;
    const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    return svg("ellipse", { cx: x, cy: y, rx: distance(a, b) / 2, ry: distance(c, d) / 2, transform: `rotate(${turn} ${x} ${y})`, ...look });
  },
};

function distance(one: Point2, other: Point2): number {
  return Math.hypot(other[0] - one[0], other[1] - one[1]);
}

/** A curve through the points: Catmull and Rom's, as pieces of Bézier's. */
function smooth(points: Point2[]): string {
  const at = (index: number): Point2 => points[Math.min(Math.max(index, 0), points.length - 1)] as Point2;
  return points
    .map((point, index) => {
      if (!index) return `M${point.join(" ")}`;
      const [before, from, after] = [at(index - 2), at(index - 1), at(index + 1)];
      const first = [from[0] + (point[0] - before[0]) / 6, from[1] + (point[1] - before[1]) / 6];
      const second = [point[0] - (after[0] - from[0]) / 6, point[1] - (after[1] - from[1]) / 6];
      return `C${[...first, ...second, ...point].join(" ")}`;
    })
    .join("");
}

const ANCHORS: Record<string, string> = { LEFT: "start", CENTER: "middle", RIGHT: "end" };
const LINE = 16;

/** A text in its box or at its anchor, with a line from one to the other where the anchor is to be seen. */
function textOf(told: Dataset, colour: string, ground: Ground): SVGElement[] {
  const box = [pointOf(told, "00700010"), pointOf(told, "00700011")];
  const corners = box.flatMap((corner) => (corner ? [placed(corner, text(told, "00700003"), ground)] : []));
  const anchor = pointOf(told, "00700014");
  const at = anchor && placed(anchor, text(told, "00700004"), ground);
  const [first, last] = corners;
  if (!first || !last) return at ? [words(told, [at[0] + 6, at[1] - 6], "start", colour)] : [];
  const [left, right] = [Math.min(first[0], last[0]), Math.max(first[0], last[0])];
  const [top, bottom] = [Math.min(first[1], last[1]), Math.max(first[1], last[1])];
  const side = ANCHORS[text(told, "00700012")] ?? "start";
  const x = side === "middle" ? (left + right) / 2 : side === "end" ? right : left;
  const written = words(told, [x, top + LINE * 0.8], side, colour);
  if (!at || text(told, "00700015") !== "Y") return [written];
  const near: Point2 = [Math.min(Math.max(at[0], left), right), Math.min(Math.max(at[1], top), bottom)];
  return [svg("line", { x1: near[0], y1: near[1], x2: at[0], y2: at[1], stroke: colour }), written];
}

function pointOf(told: Dataset, tag: string): Point2 | undefined {
  const [x, y] = numbers(told, tag);
  return x === undefined || y === undefined ? undefined : [x, y];
}

function words(told: Dataset, [x, y]: Point2, side: string, colour: string): SVGElement {
  const made = svg("text", { x, y, fill: colour, "text-anchor": side });
  for (const [row, line] of text(told, "00700006").split(/\r\n|\r|\n/).entries()) {
    const span = svg("tspan", { x, y: y + row * LINE });
    span.textContent = line;
    made.append(span);
  }
  return made;
}
