/** The studies that the files belong to, as the archive names them, each with a way there. */
import { call } from "../api";
import { h, one } from "../dom";
import { t } from "../words";
import { number } from "./units";

const ASKED_AT_ONCE = 50;
const ASKED_EVERY_MS = 2000;
const SHOWN = 200;
const PATIENT = "00100010";
const [DATE, DESCRIPTION, MODALITIES, OBJECTS, UID] = ["00080020", "00081030", "00080061", "00201208", "0020000D"];

type Json = Record<string, { Value?: unknown[] }>;

export class Studies {
  private readonly files = new Map<string, number>();
  private readonly known = new Map<string, Json>();
  private readonly stale = new Set<string>();
  private readonly body = h("tbody");
  private asked = 0;
  private changed = false;

  constructor(private readonly section: HTMLElement) {
    const words = [t("Patient"), t("Date"), t("Description"), t("Modality"), t("Images")];
    const head = words.map((word, at) => h("th", { scope: "col", class: at === 4 ? "num" : at === 2 ? "wide-only" : "" }, word));
    one("[data-fill]", section).append(h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.body));
  }

  /** Files of these studies were stored. */
  add(uids: readonly (string | undefined)[]): void {
    for (const uid of uids) {
      if (!uid) continue;
      this.files.set(uid, (this.files.get(uid) ?? 0) + 1);
      this.stale.add(uid);
      this.changed = true;
    }
  }

  draw(): void {
    if (this.stale.size && Date.now() - this.asked > ASKED_EVERY_MS) void this.ask();
    if (!this.changed) return;
    this.changed = false;
    this.section.hidden = this.files.size === 0;
    this.body.replaceChildren(...[...this.files.keys()].slice(0, SHOWN).map((uid) => this.row(uid)));
  }

  private async ask(): Promise<void> {
    this.asked = Date.now();
    const uids = [...this.stale].slice(0, ASKED_AT_ONCE);
    for (const uid of uids) this.stale.delete(uid);
    try {
      const found = await call<Json[] | null>("GET", `/dicom-web/studies?StudyInstanceUID=${uids.join(",")}&includefield=${DESCRIPTION}`);
      for (const study of found ?? []) this.known.set(String(first(study, UID)), study);
      this.changed = true;
    } catch {
      for (const uid of uids) this.stale.add(uid); // asked again with the next ones
    }
  }

  private row(uid: string): HTMLElement {
    const told = this.known.get(uid);
    const link = h("a", { href: `/studies/${encodeURIComponent(uid)}` }, told ? nameOf(told) : "…");
    return h(
      "tr",
      {},
      h("td", {}, link),
      h("td", {}, told ? dateOf(String(first(told, DATE) ?? "")) : ""),
      h("td", { class: "wide-only" }, told ? String(first(told, DESCRIPTION) ?? "") : ""),
      h("td", {}, ...((told?.[MODALITIES]?.Value ?? []) as string[]).map((code) => h("i", { class: "mod" }, code))),
      h("td", { class: "num" }, told ? number(Number(first(told, OBJECTS) ?? 0)) : ""),
    );
  }
}

function first(study: Json, tag: string): unknown {
  return study[tag]?.Value?.[0];
}

function nameOf(study: Json): string {
  const name = (first(study, PATIENT) as { Alphabetic?: string } | undefined)?.Alphabetic ?? "";
  return name.split("^").slice(0, 2).filter(Boolean).join(", ") || t("No name");
}

function dateOf(date: string): string {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(date) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, Number(day)).toLocaleDateString(document.documentElement.lang) : date;
}
