/** How far the upload is, in numbers, with the button that stops it. */
import { h } from "../dom";
import { t } from "../words";
import type { Archives } from "./archives";
import type { Results } from "./results";
import type { Sender } from "./sender";
import { bytes, duration, number } from "./units";

const WINDOW_MS = 8000;

export class ProgressPanel {
  private readonly bar = h("progress", { "aria-label": t("Upload") });
  private readonly headline = h("h2");
  private readonly facts = h("p", { class: "facts" });
  private readonly said = h("p", { class: "wrong", role: "alert", hidden: true });
  private readonly button = h("button", { type: "button", onclick: () => this.press() });
  private readonly aloud = h("p", { class: "aloud", role: "status" });
  private samples: [number, number][] = [];
  private found = 0;
  private lastAloud = 0;

  constructor(
    private readonly panel: HTMLElement,
    private readonly sender: Sender,
    private readonly archives: Archives,
    private readonly results: Results,
  ) {
    panel.append(h("header", {}, this.headline, this.button), this.bar, this.facts, this.said, this.aloud);
  }

  /** So many files are found so far in folders that were dropped; 0 when that is over. */
  looking(found: number): void {
    this.found = found;
    this.draw();
  }

  draw(): void {
    const { total, done, left, halted } = this.sender;
    this.panel.hidden = !total.files && !this.found;
    if (this.panel.hidden) return;
    this.headline.textContent = this.title();
    this.headline.className = !left && this.results.refused ? "some-refused" : "";
    this.bar.max = Math.max(1, total.bytes);
    this.bar.value = left ? this.sender.sent : total.bytes;
    this.facts.textContent = [
      t("{done} of {total} files", { done: number(done.files), total: number(total.files) }),
      t("{sent} of {total}", { sent: bytes(this.sender.sent), total: bytes(total.bytes) }),
      ...this.pace(),
    ].join(" · ");
    this.tell(this.said, halted && halted !== STOPPED ? halted : "");
    this.button.hidden = !left;
    this.button.textContent = halted ? t("Go on") : t("Stop");
    this.button.className = halted ? "primary" : "";
    this.speak();
  }

  private title(): string {
    if (this.found) return t("Looking through folders: {found} files", { found: number(this.found) });
    if (this.sender.halted) return t("Stopped");
    if (this.sender.waits) return t("The archive does not answer. It is tried again every {seconds} s.", { seconds: this.sender.waits });
    if (this.sender.left) return t("Uploading");
    if (this.archives.busy) return t("All is sent, and is being unpacked in the archive: this page may be closed");
    const refused = this.results.refused;
    if (refused === 1) return t("Done; one file was refused");
    return refused ? t("Done; {refused} files were refused", { refused: number(refused) }) : t("Done");
  }

  /** How fast, and how long it will take: over the last seconds. */
  private pace(): string[] {
    const now = performance.now();
    if (!this.sender.left || this.sender.halted) {
      this.samples = [];
      return [];
    }
    this.samples.push([now, this.sender.sent]);
    while (this.samples.length > 2 && now - this.samples[0][0] > WINDOW_MS) this.samples.shift();
    const [[since, before]] = this.samples;
    if (now - since < 1000) return [];
    const rate = Math.max(0, (this.sender.sent - before) / ((now - since) / 1000));
    if (rate < 1) return [];
    const seconds = (this.sender.total.bytes - this.sender.sent) / rate;
    return [t("{rate}/s", { rate: bytes(rate) }), t("{time} left", { time: duration(seconds) })];
  }

  private press(): void {
    if (this.sender.halted) this.sender.goOn();
    else this.sender.stop(STOPPED);
    this.draw();
  }

  private tell(element: HTMLElement, text: string): void {
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  }

  /** To a screen reader, not at every step. */
  private speak(): void {
    const now = performance.now();
    if (this.sender.left && now - this.lastAloud < 10_000) return;
    const text = `${this.headline.textContent}: ${this.facts.textContent}`;
    if (this.aloud.textContent === text) return;
    this.lastAloud = now;
    this.aloud.textContent = text;
  }
}

const STOPPED = "stopped";

