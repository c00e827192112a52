/** Assigning a study, or some of its series, to another study, to another patient, or to a study of their own. */
import { call, sentenceOf } from "./api";
import { controlOf, type Control } from "./actions_fields";
import { keepDraft } from "./actions_drafts";
import { lineOf, shownDate, shownName, studyOf, valueOf, type Answer, type Study } from "./actions_model";
import { tellDone } from "./actions_done";
import { chooseSeries, type Choice } from "./actions_series";
import { ask } from "./dialog";
import { h } from "./dom";
import { t } from "./words";

type Where = "study" | "patient" | "new" | "own";
type Element_ = { Value?: (string | number | { Alphabetic?: string })[] };

interface Hit {
  study: string;
  name: string;
  id: string;
  issuer: string;
  birth: string;
  sex: string;
  date: string;
  description: string;
}

const PAUSE_MS = 250;
const MOST = 20;
const TAGS = { study: "0020000D", name: "00100010", id: "00100020", issuer: "00100021", birth: "00100030", sex: "00100040", date: "00080020", description: "00081030" };
const PATIENT = ["PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"];

export async function openAssign(uid: string, series?: string): Promise<void> {
  const assignment = new Assignment(await studyOf(uid), series ? [series] : []);
  await ask({ title: t("Assign"), wide: true, content: assignment.content(), confirm: t("Assign"), act: () => assignment.carryOut() });
  assignment.close();
}

class Assignment {
  private readonly choice: Choice;
  private readonly where = h("fieldset", { class: "choose" });
  private readonly search = h("input", { type: "search", name: "search", autofocus: true, autocomplete: "off", placeholder: t("Name, ID or accession number") });
  private readonly hits = h("div", { class: "choices hits", role: "radiogroup", "aria-label": t("Found") });
  private readonly found = h("div", { class: "search-part" });
  private readonly fresh: Control[];
  private readonly freshPart: HTMLElement;
  private readonly reason = h("input", { name: "reason", maxlength: 500, autocomplete: "off", placeholder: t("kept with the edit") });
  private readonly known = new Map<string, Hit>();
  private forget: () => void = () => undefined;
  private timer = 0;
  private asked?: AbortController;

  constructor(private readonly study: Study, series: readonly string[]) {
    this.choice = chooseSeries(study, t("What"), series, () => this.show());
    this.fresh = PATIENT.map((keyword) => study.fields.find((one) => one.keyword === keyword)!).map((field) => controlOf({ ...field, value: "" }));
    this.freshPart = h("div", { class: "edit" }, ...this.fresh.filter((one) => one.field.vr === "PN").map((one) => one.element), h("div", { class: "fields" }, ...this.fresh.filter((one) => one.field.vr !== "PN").map((one) => one.element)));
    const ways: [Where, string][] = [["study", t("To another study")], ["patient", t("To another patient who is here")], ["new", t("To a patient who is not here yet")], ["own", t("To a new study of the same patient")]];
    this.where.append(h("legend", {}, t("Where")), ...ways.map(([value, word], number) => h("label", { class: "tick" }, h("input", { type: "radio", name: "where", value, checked: number === 0 }), h("span", {}, word))));
    this.where.addEventListener("change", () => (this.show(), this.later()));
    this.search.addEventListener("input", () => this.later());
    this.found.append(h("label", { class: "field" }, h("span", {}, t("Find it")), this.search), this.hits);
  }

  content(): Node[] {
    const body = h("div", { class: "edit" },
      h("p", { class: "soft" }, lineOf(this.study)),
      this.choice.element, this.where, this.found, this.freshPart,
      h("label", { class: "field" }, h("span", {}, t("Reason")), this.reason));
    this.forget = keepDraft(`assign.${this.study.study}`, body, () => (this.show(), this.later()));
    this.show();
    return [body];
  }

  close(): void {
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  async carryOut(): Promise<void> {
    const series = this.choice.chosen();
    const some = this.choice.element.querySelector<HTMLInputElement>("[value=some]")?.checked;
    if (some && !series.length) throw new Error(t("Tick the series that go, or choose the whole study."));
    const body = { series, reason: this.reason.value, ...this.target() };
    const answer = await call<Answer>("POST", `/actions/studies/${encodeURIComponent(this.study.study)}/assign`, body);
    this.forget();
    const what = series.length ? (series.length === 1 ? t("1 series") : t("{n} series", { n: series.length })) : t("The study");
    tellDone(t("{what} now belongs to {where}.", { what, where: this.named() }), answer.edits, [this.study.study, answer.study ?? ""].filter(Boolean));
  }

  private way(): Where {
    return (this.where.querySelector<HTMLInputElement>("input:checked")?.value ?? "study") as Where;
  }

  private hit(): Hit | undefined {
    return this.known.get(this.hits.querySelector<HTMLInputElement>("input:checked")?.value ?? "");
  }

  private target(): Record<string, unknown> {
    const way = this.way();
    if (way === "own") return {};
    if (way === "new") return { to_patient: Object.fromEntries(this.fresh.map((one) => [one.field.keyword, one.value()])) };
    const hit = this.hit();
    if (!hit) throw new Error(way === "study" ? t("Find the study and choose it.") : t("Find the patient and choose one."));
    if (way === "study") return { to_study: hit.study };
    return { to_patient: { PatientID: hit.id, IssuerOfPatientID: hit.issuer, PatientName: hit.name, PatientBirthDate: hit.birth, PatientSex: hit.sex } };
  }

  private named(): string {
    const way = this.way();
    if (way === "own") return t("a study of its own");
    const values = Object.fromEntries(this.fresh.map((one) => [one.field.keyword, one.value()]));
    if (way === "new") return `${shownName(values.PatientName ?? "")} (${values.PatientID})`;
    const hit = this.hit()!;
    return `${shownName(hit.name)} (${hit.id})`;
  }

  private show(): void {
    const some = this.choice.element.querySelector<HTMLInputElement>("[value=some]")?.checked;
    const own = this.where.querySelector<HTMLInputElement>("[value=own]")!;
    own.closest("label")!.hidden = !some;
    if (!some && own.checked) this.where.querySelector<HTMLInputElement>("[value=study]")!.checked = true;
    const way = this.way();
    this.found.hidden = way !== "study" && way !== "patient";
    this.freshPart.hidden = way !== "new";
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), PAUSE_MS);
  }

  private async look(): Promise<void> {
    const text = this.search.value.trim();
    this.asked?.abort();
    if (!text) return this.hits.replaceChildren();
    this.asked = new AbortController();
    try {
      this.list(await search(text, this.asked.signal));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.hits.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
    }
  }

  private list(hits: readonly Hit[]): void {
    const own = { id: valueOf(this.study, "PatientID"), issuer: valueOf(this.study, "IssuerOfPatientID") };
    const patients = this.way() === "patient";
    const others = patients ? oneOfEach(hits).filter((one) => one.id && !(one.id === own.id && one.issuer === own.issuer)) : hits.filter((one) => one.study !== this.study.study);
    this.known.clear();
    for (const one of others) this.known.set(patients ? `${one.id}^${one.issuer}` : one.study, one);
    const lines = [...this.known].map(([key, one]) => h("label", { class: "tick" }, h("input", { type: "radio", name: "hit", value: key }), h("span", {}, shownName(one.name), h("small", {}, about(one, patients)))));
    const first = lines[0]?.querySelector("input");
    if (first && lines.length === 1) first.checked = true;
    this.hits.replaceChildren(...(lines.length ? lines : [h("p", { class: "soft" }, t("Nothing else matches."))]));
  }
}

function about(hit: Hit, patient: boolean): string {
  const parts = patient ? [hit.id, hit.issuer, shownDate(hit.birth), hit.sex] : [hit.id, shownDate(hit.date), hit.description];
  return parts.filter(Boolean).join(" · ");
}

function oneOfEach(hits: readonly Hit[]): Hit[] {
  return [...new Map(hits.map((one) => [`${one.id}^${one.issuer}`, one])).values()];
}

/** Studies whose patient's name or ID or accession number begin like this, each once. */
async function search(text: string, signal: AbortSignal): Promise<Hit[]> {
  const safe = text.replaceAll(/[*?\\=]/g, " ").trim();
  const asked = [`PatientName=${encodeURIComponent(safe)}&fuzzymatching=true`, `PatientID=${encodeURIComponent(`${safe}*`)}`, `AccessionNumber=${encodeURIComponent(`${safe}*`)}`];
  const answers = await Promise.all(asked.map((query) => call<Record<string, Element_>[] | null>("GET", `/dicom-web/studies?limit=${MOST}&includefield=00081030,00100021&${query}`, undefined, signal)));
  const hits = answers.flatMap((rows) => (rows ?? []).map(hitOf));
  return [...new Map(hits.map((one) => [one.study, one])).values()].slice(0, MOST);
}

function hitOf(row: Record<string, Element_>): Hit {
  const told = Object.entries(TAGS).map(([name, tag]) => [name, text(row[tag])]);
  return Object.fromEntries(told) as Hit;
}

function text(element: Element_ | undefined): string {
  const value = element?.Value?.[0];
  if (value !== null && typeof value === "object") return groups(value as Record<string, string>);
  return value === undefined || value === null ? "" : String(value);
}

function groups(name: Record<string, string>): string {
  return [name.Alphabetic, name.Ideographic, name.Phonetic].map((group) => group ?? "").join("=").replace(/=+$/, "");
}

