/** The measurements on the images that are open, and their list at the right. */
import { eventTarget } from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { t } from "../pages/words";
import { annotationOf, kindOf, lineOf, measurementOf } from "./annotations";
import { make } from "./dom";
import { icon } from "./icons";
import type { Measurement, MeasurementKind } from "./model";
import { asks } from "./tools";

const { Events } = tools.Enums;
const { state } = tools.annotation;

const NAMES: Record<MeasurementKind, string> = {
  length: t("Length"),
  angle: t("Angle"),
  ellipse: t("Ellipse"),
  rectangle: t("Rectangle"),
  arrow: t("Arrow"),
  probe: t("Value"),
};

const listeners = new Set<() => void>();

/** What has been measured, in the order in which it was. */
export function currentMeasurements(): Measurement[] {
  return state.getAllAnnotations().flatMap((annotation) => measurementOf(annotation) ?? []);
}

/** Puts measurements on the images that they belong to; those with the `id` of one that is there are left out. */
export function restoreMeasurements(list: Measurement[]): void {
  for (const measurement of list) {
    if (state.getAnnotation(measurement.id)) continue;
    const annotation = annotationOf(measurement);
    if (annotation) state.addAnnotation(annotation, annotation.metadata?.FrameOfReferenceUID ?? "");
  }
  redraw();
}

/** Calls the listener whenever something is measured, changed or taken away. */
export function whenMeasured(listener: () => void): void {
  listeners.add(listener);
}

/** Calls the listener whenever something has been drawn to its end. */
export function whenDrawn(listener: () => void): void {
  eventTarget.addEventListener(Events.ANNOTATION_COMPLETED, listener);
}

let told = 0;

/** Listens to Cornerstone; called once it is there. */
export function watchMeasurements(): void {
  const events = [Events.ANNOTATION_ADDED, Events.ANNOTATION_COMPLETED, Events.ANNOTATION_MODIFIED, Events.ANNOTATION_REMOVED];
  for (const event of events) {
    eventTarget.addEventListener(event, () => {
      cancelAnimationFrame(told);
      told = requestAnimationFrame(() => listeners.forEach((listener) => listener()));
    });
  }
}

export function removeMeasurement(id: string): void {
  state.removeAnnotation(id);
  redraw();
}

/** Takes away those that are selected, else the last one. */
export function removeSelected(): void {
  const selected = tools.annotation.selection.getAnnotationsSelected();
  const last = currentMeasurements().at(-1);
  const ids = selected.length ? selected : last ? [last.id] : [];
  ids.forEach(removeMeasurement);
}

export function removeAllMeasurements(): void {
  currentMeasurements().forEach(({ id }) => state.removeAnnotation(id));
  redraw();
}

async function rename(measurement: Measurement): Promise<void> {
  const annotation = state.getAnnotation(measurement.id);
  if (!annotation) return;
  annotation.data.label = await asks.text(measurement.label);
  if (kindOf(annotation) === "arrow") (annotation.data as { text?: string }).text = annotation.data.label;
  redraw();
}

function redraw(): void {
  tools.utilities.triggerAnnotationRenderForViewportIds(
    tools.ToolGroupManager.getAllToolGroups().flatMap((group) => group.getViewportIds()),
  );
  listeners.forEach((listener) => listener());
}

/** Makes the items of the list; `jump` goes to the image of a measurement. */
export function listItems(jump: (measurement: Measurement) => void): HTMLLIElement[] {
  return currentMeasurements().map((measurement) => {
    const name = measurement.label || NAMES[measurement.kind];
    const go = make("button", { class: "go", type: "button" }, make("b", {}, name));
    for (const value of measurement.values) go.append(make("span", {}, lineOf(value)));
    go.addEventListener("click", () => jump(measurement));
    const pen = small("pen", t("Rename {name}", { name }), () => void rename(measurement));
    const bin = small("bin", t("Delete {name}", { name }), () => removeMeasurement(measurement.id));
    return make("li", {}, go, pen, bin);
  });
}

function small(picture: string, label: string, act: () => void): HTMLButtonElement {
  const button = make("button", { class: "small", type: "button", title: label, "aria-label": label }, icon(picture));
  button.addEventListener("click", act);
  return button;
}
