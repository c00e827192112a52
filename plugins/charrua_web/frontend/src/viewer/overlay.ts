/** What stands in the corners and at the edges of an image. */
import { utilities, type Types } from "@cornerstonejs/core";
import { t } from "../pages/words";
import { config } from "./config";
import { make, setText } from "./dom";
import { number, text, type Dataset } from "./dataset";
import { frameData } from "./functional";
import { edgesOf, letters, opposite, planeOf } from "./geometry";
import { isPicture } from "./loader";
import type { Point3 } from "./model";
import { nameOf, type Stack } from "./stacks";

export interface Shown {
  stack: Stack;
  index: number;
  viewport: Types.IStackViewport;
}

const EDGES = ["top", "right", "bottom", "left"] as const;

/** The words around one image. */
export class Overlay {
  readonly element = make("div", { class: "overlay", "aria-hidden": "true" });
  readonly pointer = make("span", { class: "pointer" });
  private readonly corners = {
    patient: make("div", { class: "corner top-left" }),
    study: make("div", { class: "corner top-right" }),
    position: make("div", { class: "corner bottom-left" }),
    view: make("div", { class: "corner bottom-right" }),
  };
  private readonly edges = EDGES.map((name) => make("span", { class: `edge ${name}` }));
  private readonly lossy = make("span", { class: "lossy", hidden: true });
  private fixed = "";

  constructor() {
    this.element.append(...Object.values(this.corners), ...this.edges, this.lossy);
  }

  clear(): void {
    for (const element of [...Object.values(this.corners), ...this.edges]) element.textContent = "";
    this.lossy.hidden = true;
    this.fixed = "";
  }

  update(shown: Shown): void {
    const picture = shown.stack.pictures[shown.index];
    if (!picture) return;
    const data = frameData(picture.instance, picture.frame);
    if (this.fixed !== shown.stack.key) this.fill(shown.stack, data);
    const { position, view } = this.corners;
    setText(position.firstChild as HTMLElement, placeOf(shown, data));
    setText(view, viewOf(shown.viewport, isPicture(picture.id)));
    setText(this.lossy, lossyLabel(data));
    this.lossy.hidden = !this.lossy.textContent;
    directions(shown.viewport, data).forEach((letter, at) => setText(this.edges[at] as HTMLElement, letter));
  }

  /** What is the same for the whole stack. */
  private fill(stack: Stack, data: Dataset): void {
    this.fixed = stack.key;
    const { patient, study, position } = this.corners;
    patient.replaceChildren(...lines(patientLines(data)));
    study.replaceChildren(...lines(studyLines(stack, data)));
    position.replaceChildren(make("span"), this.pointer);
  }
}

function lines(texts: string[]): HTMLElement[] {
  return texts.filter(Boolean).map((line) => make("div", {}, line));
}

function patientLines(data: Dataset): string[] {
  const person = [dateOf(text(data, "00100030")), text(data, "00100040"), text(data, "00101010")].filter(Boolean);
  return [text(data, "00100010"), text(data, "00100020"), person.join(" · ")];
}

function studyLines(stack: Stack, data: Dataset): string[] {
  const when = [dateOf(text(data, "00080020")), timeOf(text(data, "00080030"))].filter(Boolean).join(" ");
  const series = [`${t("Series")} ${stack.series.number ?? "–"}`, nameOf(stack)].join(" · ");
  return [text(data, "00080080"), text(data, "00081030"), when, series];
}

export function dateOf(given: string): string {
  const value = given.replaceAll(".", ""); // as ACR-NEMA wrote them
  return /^\d{8}$/.test(value) ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : value;
}

function timeOf(value: string): string {
  return /^\d{4}/.test(value) ? `${value.slice(0, 2)}:${value.slice(2, 4)}` : "";
}

/** Which image of how many, and where it lies. */
function placeOf({ stack, index }: Shown, data: Dataset): string {
  const picture = stack.pictures[index];
  const parts = [`${index + 1} / ${stack.pictures.length}`];
  if (picture && picture.instance.frames > 1) parts.push(`${t("frame")} ${picture.frame}`);
  else if (picture?.instance.number !== undefined) parts.push(`${t("image")} ${picture.instance.number}`);
  const [location, thickness] = [number(data, "00201041") ?? depthOf(data), number(data, "00180050")];
  if (location !== undefined) parts.push(`${location.toFixed(1)} mm`);
  if (thickness) parts.push(`${t("slice")} ${Number(thickness.toFixed(2))} mm`);
  return parts.join("   ");
}

function depthOf(data: Dataset): number | undefined {
  const plane = planeOf(data);
  return plane && plane.position[0] * plane.normal[0] + plane.position[1] * plane.normal[1] + plane.position[2] * plane.normal[2];
}

function viewOf(viewport: Types.IStackViewport, pictured: boolean): string {
  const zoom = `${t("Zoom")} ${Math.round(zoomOf(viewport) * 100)} %`;
  const range = viewport.getProperties().voiRange;
  if (!range || pictured) return zoom;
  const { windowWidth, windowCenter } = utilities.windowLevel.toWindowLevel(range.lower, range.upper);
  return `W ${tidy(windowWidth)}  L ${tidy(windowCenter)}   ${zoom}`;
}

const tidy = (value: number): string => String(Math.abs(value) < 10 ? Number(value.toFixed(2)) : Math.round(value));

/** Points of the screen for one pixel of the image. */
export function zoomOf(viewport: Types.IStackViewport): number {
  const image = viewport.getCornerstoneImage();
  if (!image) return viewport.getZoom();
  const origin = viewport.canvasToWorld([0, 0]);
  const right = viewport.canvasToWorld([100, 0]);
  const away = Math.hypot(...origin.map((value, axis) => value - (right[axis] ?? 0)));
  return (100 * (image.columnPixelSpacing || 1)) / (away || 1);
}

function lossyLabel(data: Dataset): string {
  if (config.mode === "lossy") return t("Lossy picture: not for measuring");
  if (text(data, "00282110") !== "01") return "";
  const ratio = number(data, "00282112");
  return ratio ? `${t("Lossy")} ${Number(ratio.toFixed(1))}:1` : t("Lossy");
}

/** The letters at the top, right, bottom and left edge, as the image is turned now. */
function directions(viewport: Types.IStackViewport, data: Dataset): string[] {
  const { clientWidth: wide, clientHeight: high } = viewport.element;
  const centre = viewport.canvasToWorld([wide / 2, high / 2]);
  const toward = (x: number, y: number): Point3 => {
    const other = viewport.canvasToWorld([wide / 2 + x, high / 2 + y]);
    const away = other.map((value, axis) => value - (centre[axis] ?? 0)) as Point3;
    const size = Math.hypot(...away) || 1;
    return away.map((value) => value / size) as Point3;
  };
  const [right, bottom] = [lettersOf(toward(50, 0), data), lettersOf(toward(0, 50), data)];
  return [opposite(bottom), right, bottom, opposite(right)];
}

/** The letters of a direction; where the image has no plane, it lies in its own rows and columns. */
function lettersOf(direction: Point3, data: Dataset): string {
  if (planeOf(data)) return letters(direction);
  const { left, right, top, bottom } = edgesOf(data);
  const [x, y] = direction;
  return Math.abs(x) > Math.abs(y) ? (x > 0 ? right : left) : y > 0 ? bottom : top;
}
