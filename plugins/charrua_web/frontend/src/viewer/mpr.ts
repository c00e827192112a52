/** Multiplanar reconstruction: a series as a volume, cut axially, coronally and sagittally. */
import { Enums, volumeLoader, type Types } from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { t } from "../pages/words";
import { make, setText } from "./dom";
import { drawsOnCpu, ENGINE, theEngine } from "./engine";
import { frameData } from "./functional";
import { depth, isParallel, letters, opposite, planeOf } from "./geometry";
import type { Point3 } from "./model";
import type { Stack } from "./stacks";
import { CROSSHAIRS, hold, VOLUME_GROUP } from "./tools";

const PLANES = [
  ["axial", t("Axial")],
  ["coronal", t("Coronal")],
  ["sagittal", t("Sagittal")],
] as const;
const { OrientationAxis, ViewportType, Events } = Enums;

/** Why a stack cannot be cut, "" where it can. */
export function whyNot(stack: Stack | undefined): string {
  if (drawsOnCpu()) return t("Reconstruction needs WebGL, which this browser does not give. Other tools work without it.");
  if (!stack || stack.pictures.length < 3) return t("Reconstruction needs a series of at least three parallel images.");
  const planes = stack.pictures.map(({ instance, frame }) => planeOf(frameData(instance, frame)));
  const [first] = planes;
  if (!first || planes.some((plane) => !plane || !isParallel(first, plane))) {
    return t("Reconstruction needs parallel images that say where they lie in the patient.");
  }
  const places = new Set(planes.map((plane) => plane && depth(plane).toFixed(2)));
  if (places.size !== planes.length) return t("Several images of this series lie at one place: it is no single volume.");
  const colour = stack.pictures.some(({ instance }) => Number(instance.data["00280002"]?.Value?.[0] ?? 1) > 1);
  return colour ? t("Images in colour are not reconstructed.") : "";
}

/** The three views, in an element of their own. */
export class Mpr {
  readonly element = make("div", { class: "mpr" });
  private readonly views = PLANES.map(([plane, name]) => this.view(plane, name));
  private volumeId = "";

  private view(plane: string, name: string): { id: string; plane: string; element: HTMLDivElement; edges: HTMLElement[] } {
    const element = make("div", { class: "view" });
    const edges = ["top", "right", "bottom", "left"].map((name) => make("span", { class: `edge ${name}` }));
    const around = make("div", { class: "overlay", "aria-hidden": "true" }, ...edges, make("div", { class: "corner top-left" }, name));
    const cell = make("section", { class: "cell", tabindex: 0, "aria-label": name }, element, around);
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener(Events.IMAGE_RENDERED, () => this.turned());
    this.element.append(cell);
    return { id: `mpr-${plane}`, plane, element, edges };
  }

  /** Shows a stack for which `whyNot` has nothing to say; the element is in the page. */
  async show(stack: Stack): Promise<void> {
    const engine = theEngine();
    const group = tools.ToolGroupManager.getToolGroup(VOLUME_GROUP);
    for (const { id, element, plane } of this.views) {
      const orientation = OrientationAxis[plane.toUpperCase() as "AXIAL"];
      engine.enableElement({ viewportId: id, type: ViewportType.ORTHOGRAPHIC, element, defaultOptions: { orientation } });
      group?.addViewport(id, ENGINE);
    }
    this.volumeId = `cornerstoneStreamingImageVolume:${stack.key.replaceAll(" ", "_")}`;
    const volume = await volumeLoader.createAndCacheVolume(this.volumeId, { imageIds: stack.pictures.map(({ id }) => id) });
    (volume as unknown as { load: () => void }).load();
    const viewports = this.views.map(({ id }) => engine.getViewport(id) as Types.IVolumeViewport);
    await Promise.all(viewports.map((viewport) => viewport.setVolumes([{ volumeId: this.volumeId }])));
    this.setWindow(viewports, stack);
    engine.renderViewports(this.views.map(({ id }) => id));
    group?.setToolEnabled(CROSSHAIRS.name);
    hold(CROSSHAIRS.name);
  }

  private setWindow(viewports: Types.IVolumeViewport[], { pictures }: Stack): void {
    const middle = pictures[Math.floor(pictures.length / 2)];
    const data = middle && frameData(middle.instance, middle.frame);
    const [center, width] = [data?.["00281050"]?.Value?.[0], data?.["00281051"]?.Value?.[0]].map(Number);
    if (!center && !width) return;
    const voiRange = { lower: center! - width! / 2, upper: center! + width! / 2 };
    viewports.forEach((viewport) => viewport.setProperties({ voiRange }));
  }

  private turned(): void {
    for (const { id, edges } of this.views) {
      const camera = theEngine().getViewport(id)?.getCamera();
      if (!camera?.viewUp || !camera.viewPlaneNormal) continue;
      const top = letters(camera.viewUp as Point3);
      const [a, b, c] = camera.viewUp;
      const [d, e, f] = camera.viewPlaneNormal;
      const right = letters([b * f - c * e, c * d - a * f, a * e - b * d]);
      [top, right, opposite(top), opposite(right)].forEach((letter, at) => setText(edges[at] as HTMLElement, letter));
    }
  }

  /** Gives the views back. */
  close(): void {
    const group = tools.ToolGroupManager.getToolGroup(VOLUME_GROUP);
    group?.setToolDisabled(CROSSHAIRS.name);
    for (const { id } of this.views) {
      group?.removeViewports(ENGINE, id);
      theEngine().disableElement(id);
    }
    this.element.remove();
  }
}
