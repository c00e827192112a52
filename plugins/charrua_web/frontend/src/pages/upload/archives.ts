/** Large files and ZIP archives: how far each is, also those of earlier visits, which the archive goes on with by itself. */
import { call } from "../api";
import { h, one } from "../dom";
import { t } from "../words";
import type { Status, Upload } from "./sender";
import { bytes, number } from "./units";

const ASKED_EVERY_MS = 1500;

export interface Listener {
  stop(upload: Upload): Promise<void>;
  /** The archive tells other things of an upload of this visit than before. */
  changed(before: Upload | undefined, after: Upload): void;
}

export class Archives {
  private readonly uploads = new Map<string, Upload>();
  /** Those that were sent from this page, and not on an earlier visit. */
  private readonly own = new Set<string>();
  private readonly body = h("tbody");
  private asked = 0;
  private changed = false;

  constructor(
    private readonly section: HTMLElement,
    private readonly listener: Listener,
  ) {
    const words = [t("File"), t("How far it is"), t("In it"), ""];
    const head = words.map((word, at) => h("th", { scope: "col", class: at === 2 ? "wide-only" : "" }, word));
    one("[data-fill]", section).append(h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.body));
  }

  get some(): boolean {
    return this.uploads.size > 0;
  }

  /** Whether the archive still unpacks one that was sent from here. */
  get busy(): boolean {
    return [...this.own].some((id) => this.uploads.get(id)?.state === "storing");
  }

  /** Get those of earlier visits. */
  async load(): Promise<void> {
    this.asked = Date.now();
    try {
      const { uploads } = await call<{ uploads: Upload[] }>("GET", "/uploads");
      for (const one of uploads) this.learn(one);
    } catch {
      // asked again while one is under way
    }
  }

  /** Learn of one that is sent from this page. */
  tell(upload: Upload): void {
    this.own.add(upload.id);
    this.learn(upload);
  }

  remove(upload: Upload): void {
    this.uploads.delete(upload.id);
    this.own.delete(upload.id);
    this.changed = true;
  }

  private learn(upload: Upload): void {
    const before = this.uploads.get(upload.id);
    if (before && before.received > upload.received) return;
    this.uploads.set(upload.id, upload);
    this.changed = true;
    if (this.own.has(upload.id)) this.listener.changed(before, upload);
  }

  draw(): void {
    const storing = [...this.uploads.values()].some((upload) => upload.state === "storing");
    if (storing && Date.now() - this.asked > ASKED_EVERY_MS) void this.load();
    if (!this.changed) return;
    this.changed = false;
    this.section.hidden = !this.some;
    this.body.replaceChildren(...[...this.uploads.values()].map((upload) => this.row(upload)));
  }

  private row(upload: Upload): HTMLElement {
    const unfinished = upload.state === "receiving" || upload.state === "storing";
    const stop = h("button", { type: "button", "aria-label": `${unfinished ? t("Stop") : t("Forget it")}: ${upload.name}`, onclick: () => void this.listener.stop(upload) }, unfinished ? t("Stop") : t("Forget it"));
    return h("tr", {}, h("td", { class: "name", title: upload.name }, upload.name), h("td", {}, this.state(upload)), h("td", { class: "wide-only" }, contents(upload)), h("td", { class: "num" }, stop));
  }

  private state(upload: Upload): Node {
    const sent = { sent: bytes(upload.received), size: bytes(upload.size) };
    if (upload.state === "receiving") {
      const text = this.own.has(upload.id) ? t("{sent} of {size} sent", sent) : t("{sent} of {size} sent: choose the file again to go on", sent);
      return pill(this.own.has(upload.id) ? "busy" : "warn", text);
    }
    if (upload.state === "storing" && upload.error) return pill("warn", t("{why} It is tried again by itself.", { why: upload.error }));
    if (upload.state === "storing") return pill("busy", t("Being stored: {files} files so far", { files: number(upload.files) }));
    if (upload.state === "failed") return pill("bad", upload.error);
    return pill("good", t("Done: {size}", sent));
  }
}

function contents(upload: Upload): string {
  const words: [Status, string][] = [
    ["stored", t("{n} stored")],
    ["there", t("{n} already there")],
    ["beside", t("{n} kept beside others")],
    ["skipped", t("{n} passed over")],
    ["refused", t("{n} refused")],
  ];
  const numbers = upload.results.numbers ?? {};
  return words.filter(([status]) => numbers[status]).map(([status, text]) => text.replace("{n}", number(numbers[status] ?? 0))).join(", ");
}

function pill(kind: string, text: string): HTMLElement {
  return h("span", { class: `pill ${kind}` }, text);
}
