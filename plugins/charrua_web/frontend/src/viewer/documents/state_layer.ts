/** What lies over an image that is shown under a presentation state: graphics, texts, shutters; or the server's picture. */
import { Enums, type Types } from "@cornerstonejs/core";
import { t } from "../../pages/words";
import { items, number, text, type Dataset } from "../dataset";
import { make } from "../dom";
import { colourOf } from "./colours";
import { areaOf } from "./displayed_area";
import { shapesOf, svg, type Ground } from "./graphics";
import { itemsFor, uidOf, type PresentationState } from "./presentation";
import { shutterOf } from "./shutters";

const { Events } = Enums;
const layers = new WeakMap<HTMLElement, StateLayer>();

/** One of each viewport, gone when its image is shown otherwise: reset, or another image in its place. */
export class StateLayer {
  private readonly element = make("div", { class: "state-layer" });
  private readonly drawing = svg("svg", { class: "state-drawing", "aria-hidden": "true" });
  private draw: () => void = () => undefined;
  private uid = "";
  private settled = false;

  /** The layer of a viewport, empty. */
  static on(viewport: Types.IStackViewport): StateLayer {
    layers.get(viewport.element)?.remove();
    return new StateLayer(viewport);
  }

  private constructor(private readonly viewport: Types.IStackViewport) {
    layers.set(viewport.element, this);
    const target = viewport.element;
    target.addEventListener(Events.IMAGE_RENDERED, this.rendered);
    target.addEventListener(Events.CAMERA_RESET, this.remove);
    target.addEventListener(Events.ELEMENT_DISABLED, this.remove);
    target.append(this.element);
  }

  private readonly rendered = (): void => {
    if (this.settled && uidOf(this.viewport) !== this.uid) return this.remove();
    this.draw();
  };

  readonly remove = (): void => {
    const target = this.viewport.element;
    target.removeEventListener(Events.IMAGE_RENDERED, this.rendered);
    target.removeEventListener(Events.CAMERA_RESET, this.remove);
    target.removeEventListener(Events.ELEMENT_DISABLED, this.remove);
    this.element.remove();
    if (layers.get(target) === this) layers.delete(target);
  };

  /** Draws what a state says, whenever the viewport is drawn. */
  show(state: PresentationState, uid: string, annotations: Dataset[]): void {
    const { data } = state.instance;
    this.uid = uid;
    this.element.replaceChildren(this.drawing, this.note(state));
    this.draw = (): void => {
      const ground: Ground = { viewport: this.viewport, area: areaOf(this.viewport, itemsFor(data, "0070005A", uid)[0]) };
      const shutter = shutterOf(data, this.viewport);
      const sorted = annotations.map((one) => ({ one, layer: layerOf(data, one) })).sort((a, b) => orderOf(a.layer) - orderOf(b.layer));
      const shapes = sorted.flatMap(({ one, layer }) => shapesOf(one, colourOf(layer), ground));
      this.drawing.replaceChildren(...(shutter ? [shutter] : []), ...shapes);
    };
    this.settled = true;
    this.draw();
  }

  /** Shows the image under a state as the server draws it. */
  async showPicture(state: PresentationState, uid: string): Promise<void> {
    this.uid = uid;
    const image = make("img", { class: "state-picture", alt: state.label, src: addressOf(this.viewport, state, uid) });
    this.element.replaceChildren(image, this.note(state, t("drawn by the archive")));
    this.settled = true;
    await image.decode().catch(() => {
      this.remove();
      throw new Error(t("The archive could not draw the presentation “{label}”.", { label: state.label }));
    });
  }

  private note({ label }: PresentationState, more = ""): HTMLElement {
    const close = make("button", { type: "button", class: "small", "aria-label": t("Leave the presentation"), title: t("Leave the presentation") }, "✕");
    close.addEventListener("click", () => {
      this.viewport.resetProperties();
      this.viewport.resetCamera();
      this.remove();
      this.viewport.render();
    });
    for (const kind of ["pointerdown", "mousedown", "dblclick"]) close.addEventListener(kind, (event) => event.stopPropagation());
    return make("p", { class: "state-note" }, [label, more].filter(Boolean).join(" · "), close);
  }
}

function layerOf(data: Dataset, annotation: Dataset): Dataset {
  const name = text(annotation, "00700002");
  return items(data, "00700060").find((layer) => text(layer, "00700002") === name) ?? {};
}

function orderOf(layer: Dataset): number {
  return number(layer, "00700062") ?? 0;
}

/** WADO-URI has the parameters for it (PS3.18 9.1.2.2). */
function addressOf(viewport: Types.IStackViewport, { instance }: PresentationState, uid: string): string {
  const image = instance.series.study.series.flatMap(({ instances }) => instances).find((one) => one.uid === uid);
  const frame = Number(/\/(\d+)$/.exec(viewport.getCurrentImageId())?.[1] ?? 1);
  const { clientWidth, clientHeight } = viewport.element;
  const parameters = new URLSearchParams({
    requestType: "WADO",
    studyUID: instance.series.study.uid,
    seriesUID: image?.series.uid ?? "",
    objectUID: uid,
    contentType: "image/png",
    rows: String(Math.round(clientHeight * devicePixelRatio)),
    columns: String(Math.round(clientWidth * devicePixelRatio)),
    presentationUID: instance.uid,
    presentationSeriesUID: instance.series.uid,
  });
  if ((image?.frames ?? 1) > 1) parameters.set("frameNumber", String(frame));
  return `/wado?${parameters}`;
}
