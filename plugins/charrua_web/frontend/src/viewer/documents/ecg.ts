/** Electrocardiograms on millimetre paper: the 12-lead sheet, or all leads below each other; speed, gain, and a calliper. */
import { t } from "../../pages/words";
import { make, setText } from "../dom";
import type { Instance } from "../model";
import { Calliper } from "./calliper";
import { isTwelveLead, sheetRows, stripRows, type Row } from "./ecg_rows";
import { drawPaper, drawRow, PAPER, type Scale } from "./ecg_drawing";
import type { Sheet } from "./sheet";
import { recordingsOf, statementsOf, type Recording } from "./waveform";

const SPEEDS = [12.5, 25, 50];
const GAINS = [2.5, 5, 10, 20];
/** CSS pixels in a millimetre, as browsers have it. */
const MM = 96 / 25.4;
const LEAST_MM = 2.2;
const MOST_MM = 6;
const SHEET_S = 10;

/** Draws the recording; false where only the server can. */
export async function showRecording(sheet: Sheet, instance: Instance): Promise<boolean> {
  const recordings = await recordingsOf(instance);
  if (!recordings?.length) return false;
  new Ecg(sheet, recordings, statementsOf(instance));
  return true;
}

class Ecg {
  private readonly paper = make("div", { class: "ecg-paper", tabindex: 0, role: "img" });
  private readonly length = make("div", { class: "ecg-length" });
  private readonly canvas = make("canvas", {});
  private readonly legend = make("p", { class: "ecg-legend" });
  private recording: Recording;
  private isSheet: boolean;
  private speed = 25;
  private gain = 10;
  private from = 0;
  private waiting = 0;
  private readonly calliper: Calliper;

  constructor(sheet: Sheet, recordings: Recording[], statements: string[]) {
    this.recording = recordings[0] as Recording;
    this.isSheet = isTwelveLead(this.recording);
    this.length.append(this.canvas);
    this.paper.append(this.length);
    sheet.body.replaceChildren(this.controls(recordings), this.paper, this.legend, ...said(statements));
    this.paper.addEventListener("scroll", () => this.draw());
    this.calliper = new Calliper(this.paper, this.canvas, () => this.scale());
    new ResizeObserver(() => this.draw()).observe(this.paper);
    this.draw();
  }

  private controls(recordings: Recording[]): HTMLElement {
    const bar = make("div", { class: "ecg-controls" });
    const pick = <Value>(label: string, options: [Value, string][], now: Value, act: (value: Value) => void): void => {
      const select = make("select", {}, ...options.map(([value, text], at) => make("option", { value: at, selected: value === now }, text)));
      select.addEventListener("change", () => {
        act((options[select.selectedIndex] as [Value, string])[0]);
        this.calliper.hide();
        this.draw();
      });
      bar.append(make("label", {}, make("span", {}, label), select));
    };
    if (recordings.length > 1) {
      const names = recordings.map((one, at): [Recording, string] => [one, one.label || t("Group {number}", { number: at + 1 })]);
      pick(t("Recording"), names, this.recording, (one) => this.choose(one));
    }
    if (recordings.some(isTwelveLead)) {
      const layouts: [boolean, string][] = [[true, t("12-lead sheet")], [false, t("Leads below each other")]];
      pick(t("Layout"), layouts, this.isSheet, (is) => (this.isSheet = is && isTwelveLead(this.recording)));
    }
    pick(t("Speed"), SPEEDS.map((mm): [number, string] => [mm, `${mm} mm/s`]), this.speed, (mm) => (this.speed = mm));
    pick(t("Gain"), GAINS.map((mm): [number, string] => [mm, `${mm} mm/mV`]), this.gain, (mm) => (this.gain = mm));
    bar.append(this.stretches());
    return bar;
  }

  /** Goes through a recording that is longer than a sheet. */
  private stretches(): HTMLElement {
    const at = make("output", {});
    const go = (by: number): void => {
      const last = Math.max(0, this.seconds - SHEET_S);
      this.from = Math.min(last, Math.max(0, this.from + by));
      setText(at, `${this.from.toFixed(0)}–${Math.min(this.seconds, this.from + SHEET_S).toFixed(0)} s`);
      this.calliper.hide();
      this.paper.scrollLeft = this.from * this.speed * this.mm;
      this.draw();
    };
    const button = (sign: string, label: string, by: number): HTMLButtonElement => {
      const made = make("button", { type: "button", "aria-label": label, title: label }, sign);
      made.addEventListener("click", () => go(by));
      return made;
    };
    setText(at, `0–${Math.min(this.seconds, SHEET_S).toFixed(0)} s`);
    const back = button("‹", t("10 s back"), -SHEET_S);
    return make("span", { class: "ecg-stretch", hidden: this.seconds <= SHEET_S + 0.1 }, back, at, button("›", t("10 s on"), SHEET_S));
  }

  private choose(recording: Recording): void {
    this.recording = recording;
    this.isSheet = isTwelveLead(recording);
    this.from = 0;
    this.paper.scrollLeft = 0;
  }

  private get seconds(): number {
    return this.recording.length / this.recording.rate;
  }

  private scale(): Scale {
    return { speed: this.speed, gain: this.gain, mm: this.mm };
  }

  /** CSS pixels of a millimetre: a sheet fills the width as far as it stays readable. */
  private get mm(): number {
    const fitting = this.paper.clientWidth / (PAPER.left + SHEET_S * this.speed + PAPER.right);
    return this.isSheet ? Math.min(MOST_MM, Math.max(LEAST_MM, fitting)) : MM;
  }

  private draw(): void {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.redraw());
  }

  private redraw(): void {
    const { paper, canvas, recording, mm } = this;
    const rows = this.isSheet ? sheetRows(recording, this.from) : stripRows(recording);
    const seconds = this.isSheet ? SHEET_S : this.seconds;
    const [width, height] = [(PAPER.left + seconds * this.speed + PAPER.right) * mm, rows.length * this.rowHeight * mm];
    Object.assign(this.length.style, { width: `${Math.ceil(Math.max(width, paper.clientWidth))}px`, height: `${Math.ceil(height)}px` });
    this.size(paper.clientWidth, Math.ceil(height));
    this.drawRows(rows, paper.scrollLeft);
    paper.setAttribute("aria-label", t("Electrocardiogram of {count} leads, {seconds} s", { count: recording.channels.length, seconds: this.seconds.toFixed(1) }));
    const told = [`${this.speed} mm/s`, `${this.gain} mm/mV`, recording.filters, t("{rate} samples/s", { rate: recording.rate })];
    setText(this.legend, [...told, `${this.seconds.toFixed(1)} s`].filter(Boolean).join(" · "));
    canvas.dataset.drawn = String(rows.length);
  }

  private get rowHeight(): number {
    return Math.max(20, Math.min(this.isSheet ? 30 : 25, this.gain * 3));
  }

  /** The canvas has the size of what is in sight, in the pixels of the display. */
  private size(width: number, height: number): void {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    canvas.getContext("2d")?.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  private drawRows(rows: Row[], scrolled: number): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    drawPaper(context, { width, height, scrolled, mm: this.mm });
    rows.forEach((row, at) => drawRow(context, this.recording, row, this.scale(), { middle: (at + 0.5) * this.rowHeight * this.mm, scrolled, width }));
  }
}

function said(statements: string[]): HTMLElement[] {
  if (!statements.length) return [];
  const list = make("ul", {}, ...statements.map((one) => make("li", {}, one)));
  return [make("section", { class: "ecg-said" }, make("h3", {}, t("What the device says")), list)];
}
