/** One cell of the grid: a stack of images or a document, with what stands around it. */
import { Enums, eventTarget, type Types } from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { t } from "../pages/words";
import { sampleOf, toImage } from "./annotations";
import { counters, mark } from "./counters";
import { make, setText } from "./dom";
import { showDocument } from "./documents";
import { ENGINE, theEngine } from "./engine";
import { frameData } from "./functional";
import { rounded, unitOf } from "./measure";
import type { Point3 } from "./model";
import { Overlay } from "./overlay";
import { nameOf, type Picture, type Stack } from "./stacks";
import { STACK_GROUP } from "./tools";

const { Events, ViewportType } = Enums;
let made = 0;

/** What others want to know of a cell. */
export interface CellEvents {
  /** Another image is shown. */
  moved: (cell: Cell) => void;
  /** It was pressed or focused. */
  chosen: (cell: Cell) => void;
  maximised: (cell: Cell) => void;
  /** A series was dropped on it. */
  dropped: (cell: Cell, key: string) => void;
}

export class Cell {
  readonly id = `cell-${++made}`;
  readonly element: HTMLElement;
  stack: Stack | undefined;
  index = 0;
  /** 1 where the last movement was forwards, -1 where backwards. */
  direction: 1 | -1 = 1;
  private readonly view = make("div", { class: "view" });
  private readonly said = make("p", { class: "said", role: "status", hidden: true });
  private readonly document = make("div", { class: "document", hidden: true });
  private readonly slider = make("input", { type: "range", class: "slider", min: 0, max: 0, value: 0, step: 1, hidden: true });
  private readonly overlay = new Overlay();
  private enabled = false;
  private drawing = false;

  constructor(private readonly events: CellEvents) {
    const { view, document, overlay, slider, said } = this;
    slider.setAttribute("aria-label", t("Position in the stack"));
    this.element = make("section", { class: "cell", tabindex: 0 }, view, document, overlay.element, slider, said);
    this.listen();
  }

  /** The viewport, undefined while the cell shows no images. */
  get viewport(): Types.IStackViewport | undefined {
    return this.enabled ? (theEngine().getViewport(this.id) as Types.IStackViewport) : undefined;
  }

  get picture(): Picture | undefined {
    return this.stack?.pictures[this.index];
  }

  /** Shows a stack from an image on; undefined empties the cell. */
  async show(stack: Stack | undefined, index = 0): Promise<void> {
    this.stack = stack;
    this.index = index;
    this.overlay.clear();
    this.say("");
    this.element.setAttribute("aria-label", stack ? `${stack.series.modality} ${nameOf(stack)}` : t("Empty: drag a series here"));
    this.element.classList.toggle("empty", !stack);
    this.document.hidden = !stack?.document;
    this.view.hidden = !stack?.pictures.length;
    this.slider.hidden = (stack?.pictures.length ?? 0) < 2;
    if (stack?.document) return this.showDocument(stack);
    if (stack?.pictures.length) return this.showImages(stack, index);
    this.disable();
  }

  private async showDocument(stack: Stack): Promise<void> {
    this.disable();
    this.document.replaceChildren();
    try {
      if (stack.document) await showDocument(this.document, stack.document);
    } catch (error) {
      this.say(sentence(error));
    }
  }

  private async showImages(stack: Stack, index: number): Promise<void> {
    this.enable();
    Object.assign(this.slider, { max: String(stack.pictures.length - 1), value: String(index) });
    const ids = stack.pictures.map((picture) => picture.id);
    try {
      await this.viewport?.setStack(ids, index);
      this.viewport?.render();
    } catch (error) {
      if (this.stack === stack) this.say(sentence(error));
    }
  }

  private enable(): void {
    if (this.enabled) return;
    theEngine().enableElement({ viewportId: this.id, type: ViewportType.STACK, element: this.view as HTMLDivElement });
    tools.ToolGroupManager.getToolGroup(STACK_GROUP)?.addViewport(this.id, ENGINE);
    this.enabled = true;
  }

  /** Takes the viewport from the engine: the cell is emptied, or stands nowhere. */
  disable(): void {
    if (!this.enabled) return;
    tools.ToolGroupManager.getToolGroup(STACK_GROUP)?.removeViewports(ENGINE, this.id);
    theEngine().disableElement(this.id);
    this.enabled = false;
  }

  /** Shows what is wrong instead of an image; "" shows the image again. */
  say(text: string): void {
    setText(this.said, text);
    this.said.hidden = !text;
  }

  /** Goes to an image of the stack, the nearest where there is none. */
  async goTo(index: number): Promise<void> {
    const last = (this.stack?.pictures.length ?? 0) - 1;
    const at = Math.min(Math.max(index, 0), last);
    if (at < 0 || at === this.index) return;
    await this.viewport?.setImageIdIndex(at);
  }

  private listen(): void {
    const { element, view, slider, events } = this;
    element.addEventListener("pointerdown", () => events.chosen(this), true);
    element.addEventListener("focusin", () => events.chosen(this));
    element.addEventListener("dblclick", () => events.maximised(this));
    slider.addEventListener("dblclick", (event) => event.stopPropagation());
    slider.addEventListener("input", () => void this.goTo(Number(slider.value)));
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      events.dropped(this, event.dataTransfer?.getData("text/plain") ?? "");
    });
    view.addEventListener("contextmenu", (event) => event.preventDefault());
    view.addEventListener("pointermove", (event: PointerEvent) => this.point(event));
    view.addEventListener("pointerleave", () => setText(this.overlay.pointer, ""));
    view.addEventListener(Events.PRE_STACK_NEW_IMAGE, (event) => this.leaving(event as CustomEvent));
    view.addEventListener(Events.STACK_NEW_IMAGE, (event) => this.arrived(event as CustomEvent));
    view.addEventListener(Events.IMAGE_RENDERED, () => this.rendered());
    view.addEventListener(Events.VOI_MODIFIED, () => this.redraw());
    eventTarget.addEventListener(Events.IMAGE_LOAD_ERROR, (event: Event) => this.failed(event as CustomEvent));
  }

  /** An image was asked for: while it is not there, the words stay those of the image that is. */
  private leaving({ detail }: CustomEvent): void {
    const to = detail.imageIdIndex as number;
    if (to !== this.index) this.direction = to > this.index ? 1 : -1;
    this.events.moved(this);
  }

  private arrived({ detail }: CustomEvent): void {
    const index = detail.imageIdIndex as number;
    if (index !== this.index) this.direction = index > this.index ? 1 : -1;
    this.index = index;
    this.slider.value = String(index);
    this.say("");
    this.events.moved(this);
  }

  private rendered(): void {
    counters.rendered += 1;
    mark("first-image");
    this.redraw();
  }

  /** Brings the words up to date, at the next drawing. */
  redraw(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      const { stack, index, viewport } = this;
      if (stack && viewport?.getCornerstoneImage()) this.overlay.update({ stack, index, viewport });
    });
  }

  private failed({ detail }: CustomEvent): void {
    const { imageId, error } = detail as { imageId?: string; error?: unknown };
    const index = this.stack?.pictures.findIndex((picture) => picture.id === imageId) ?? -1;
    if (!this.enabled || index < 0 || this.viewport?.getTargetImageIdIndex() !== index) return;
    this.index = index;
    this.slider.value = String(index);
    void this.insteadOfImage(error);
  }

  /** What has no frames, a video, is shown as a document; of anything else the page says why there is no image. */
  private async insteadOfImage(error: unknown): Promise<void> {
    const { picture, stack } = this;
    const status = (error as { status?: number } | undefined)?.status ?? (error as { error?: { status?: number } })?.error?.status;
    if (picture && stack && status === 406) {
      return this.show({ ...stack, pictures: [], document: picture.instance });
    }
    this.overlay.clear();
    this.say(sentence(error));
  }

  /** The value under the pointer. */
  private point(event: PointerEvent): void {
    const { picture, viewport } = this;
    if (!picture || !viewport || event.buttons) return;
    const { left, top } = this.view.getBoundingClientRect();
    const world = viewport.canvasToWorld([event.clientX - left, event.clientY - top]) as Point3;
    const [column, row] = toImage(picture, world).map(Math.round) as [number, number];
    const value = sampleOf(picture.id)?.(column, row);
    const unit = unitOf(frameData(picture.instance, picture.frame), picture.instance.series.modality);
    setText(this.overlay.pointer, value === undefined ? "" : `${column}, ${row}: ${rounded(value)} ${unit}`.trim());
  }
}

function sentence(error: unknown): string {
  const inner = (error as { error?: unknown } | undefined)?.error ?? error;
  const reason = inner instanceof Error ? inner.message : t("it could not be read");
  return t("This image cannot be shown: {reason}", { reason });
}
