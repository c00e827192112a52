/** A calliper on the paper: drag to measure time, rate and voltage. */
import { make, setText } from "../dom";
import type { Scale } from "./ecg_drawing";

export class Calliper {
  private readonly box = make("div", { class: "ecg-calliper", hidden: true });
  private readonly told = make("output", {});
  private from: [number, number] | undefined;

  constructor(
    private readonly paper: HTMLElement,
    private readonly canvas: HTMLElement,
    private readonly scale: () => Scale,
  ) {
    this.box.append(this.told);
    canvas.after(this.box);
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => (this.from = undefined));
  }

  /** Takes it from the paper, which has changed below it. */
  hide(): void {
    this.box.hidden = true;
  }

  /** Where the pointer is on the paper, scrolled away or not. */
  private place(event: PointerEvent): [number, number] {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left + this.paper.scrollLeft, event.clientY - top];
  }

  private begin(event: PointerEvent): void {
    if (event.button !== 0 || event.pointerType === "touch") return; // a finger scrolls
    this.from = this.place(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.box.hidden = true;
  }

  private move(event: PointerEvent): void {
    if (!this.from) return;
    const [x, y] = this.place(event);
    const [width, height] = [Math.abs(x - this.from[0]), Math.abs(y - this.from[1])];
    const { speed, gain, mm } = this.scale();
    const [seconds, millivolts] = [width / mm / speed, height / mm / gain];
    Object.assign(this.box.style, {
      left: `${Math.min(x, this.from[0])}px`,
      top: `${Math.min(y, this.from[1])}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    this.box.hidden = width < 2 && height < 2;
    const rate = seconds > 0.15 ? ` · ${Math.round(60 / seconds)}/min` : "";
    setText(this.told, `${Math.round(seconds * 1000)} ms${rate} · ${millivolts.toFixed(2)} mV`);
  }
}
