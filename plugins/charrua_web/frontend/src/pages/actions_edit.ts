/** Editing a study: its patient's attributes, its own and those of its series, with what would change shown while typing. */
import { call, Problem, sentenceOf } from "./api";
import { keepDraft } from "./actions_drafts";
import { controlOf, markWrong, wordOf, type Control } from "./actions_fields";
import { lineOf, shownDate, statusWord, studyOf, wholeName, type Answer, type Change, type Field, type Study } from "./actions_model";
import { tellDone } from "./actions_done";
import { ask } from "./dialog";
import { h } from "./dom";
import { t } from "./words";

const PAUSE_MS = 350;
const ACCOMPANYING = new Set(["SR", "PR", "KO", "DOC", "SEG", "REG"]);

export async function openEdit(uid: string): Promise<void> {
  const editor = new Editor(await studyOf(uid));
  await ask({
    title: t("Edit"),
    wide: true,
    content: editor.content(),
    confirm: t("Save"),
    act: () => editor.save(),
  });
  editor.close();
}

class Editor {
  private readonly controls: Control[] = [];
  private readonly body = h("div", { class: "edit" });
  private readonly changes = h("section", { class: "changes", "aria-live": "polite" });
  private readonly status: HTMLSelectElement;
  private readonly patient = h("input", { type: "checkbox", name: "patient" });
  private readonly reason = h("input", { name: "reason", maxlength: 500, autocomplete: "off", placeholder: t("kept with the edit") });
  private readonly more: HTMLSelectElement;
  private readonly moreGrid = h("div", { class: "fields" });
  private forget: () => void = () => undefined;
  private timer = 0;
  private asked?: AbortController;

  constructor(private readonly study: Study) {
    this.status = h("select", { name: "status" }, ...study.statuses.map((one) => h("option", { value: one, selected: one === study.status }, statusWord(one))));
    const others = study.fields.filter((one) => !one.main).concat(study.series_fields.filter((one) => !one.main));
    this.more = h("select", { "aria-label": t("Another attribute") }, h("option", { value: "" }, t("Another attribute…")), ...others.map((one) => h("option", { value: one.keyword }, wordOf(one))));
    this.more.addEventListener("change", () => this.add(this.more.value)?.element.querySelector("input")?.focus());
  }

  content(): Node[] {
    const { study } = this;
    const main = study.fields.filter((one) => one.main);
    const ofPatient = main.filter((one) => one.level === "PATIENT");
    this.body.append(
      h("p", { class: "soft" }, lineOf(study)),
      ...(study.whole ? [] : [h("p", { class: "wrong" }, t("The study has series that you may not see: it cannot be edited as a whole."))]),
      this.section(t("Patient"), ofPatient, study.patient_studies > 1 ? this.allStudies() : null),
      this.section(t("Study"), main.filter((one) => one.level !== "PATIENT"), null, [h("label", { class: "field" }, h("span", {}, t("Status")), this.status), ...this.ofSeries()]),
      h("section", {}, h("h3", {}, t("More")), this.moreGrid, this.more),
      h("label", { class: "field" }, h("span", {}, t("Reason")), this.reason),
    );
    this.body.addEventListener("input", () => this.later());
    this.forget = keepDraft(`edit.${study.study}`, this.body, () => this.later(), (name) => void this.add(name.split(".")[0]!));
    return [h("div", {}, this.body, this.changes)];
  }

  close(): void {
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  async save(): Promise<void> {
    this.close();
    const answer = await this.send<Answer>("");
    this.forget();
    if (!answer.edits.length) return;
    const names = (answer.changes ?? []).map(wordOf).join(", ");
    tellDone(t("Saved: {names}", { names }), answer.edits, [this.study.study]);
  }

  private section(title: string, fields: readonly Field[], foot: Node | null, more: Node[] = []): HTMLElement {
    const made = fields.map((field) => this.control(field));
    const names = made.filter((one) => one.field.vr === "PN").map((one) => one.element);
    const rest = made.filter((one) => one.field.vr !== "PN").map((one) => one.element);
    const others = [...rest.filter((one) => !one.classList.contains("wide")), ...more, ...rest.filter((one) => one.classList.contains("wide"))];
    const order = title === t("Patient") ? [...names, h("div", { class: "fields" }, ...others)] : [h("div", { class: "fields" }, ...others), ...names];
    return h("section", {}, h("h3", {}, title), ...order, foot);
  }

  private control(field: Field): Control {
    const made = controlOf(field);
    this.controls.push(made);
    return made;
  }

  /** What all series have in common: institution, and the modality where images have one. */
  private ofSeries(): Node[] {
    const several = new Set(this.study.series.map((one) => one.modality).filter((one) => one && !ACCOMPANYING.has(one))).size > 1;
    const fields = this.study.series_fields.filter((one) => one.main && !(one.keyword === "Modality" && several));
    return fields.map((field) => this.control({ ...field, value: several ? field.value : field.keyword === "Modality" ? imaging(field.value) : field.value }).element);
  }

  private allStudies(): HTMLElement {
    const label = t("Also in the patient's other studies, {n} in all", { n: this.study.patient_studies });
    return h("label", { class: "tick" }, this.patient, h("span", {}, label));
  }

  private add(keyword: string): Control | undefined {
    const field = [...this.study.fields, ...this.study.series_fields].find((one) => one.keyword === keyword);
    if (!field) return undefined;
    this.more.querySelector(`option[value="${CSS.escape(keyword)}"]`)?.remove();
    this.more.value = "";
    const made = this.control(field);
    this.moreGrid.append(made.element);
    return made;
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), PAUSE_MS);
  }

  /** Show what would change, or what is wrong with it. */
  private async look(): Promise<void> {
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const told = await this.send<{ changes: Change[]; studies: number }>("/preview", this.asked.signal);
      markWrong(this.body, "");
      this.show(told.changes, told.studies);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.changes.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
    }
    // What is told at the foot shall not hide the field that it is about.
    const typing = document.activeElement;
    if (typing && this.body.contains(typing)) typing.scrollIntoView({ block: "nearest" });
  }

  private show(changes: readonly Change[], studies: number): void {
    if (!changes.length) return this.changes.replaceChildren();
    const nothing = t("nothing");
    const rows = changes.map((one) => h("tr", {}, h("th", { scope: "row" }, wordOf(one)), h("td", {}, h("del", {}, shown(one, one.before) || nothing)), h("td", {}, h("ins", {}, shown(one, one.after) || nothing))));
    const title = studies > 1 ? t("What changes, in {n} studies of the patient", { n: studies }) : t("What changes");
    const head = h("thead", {}, h("tr", {}, ...[t("Attribute"), t("Before"), t("After")].map((one) => h("th", { scope: "col" }, one))));
    this.changes.replaceChildren(h("h3", {}, title), h("div", { class: "scroll" }, h("table", {}, head, h("tbody", {}, ...rows))));
  }

  private async send<T>(path: string, signal?: AbortSignal): Promise<T> {
    const attributes: Record<string, string> = {};
    for (const { field, value } of this.controls) {
      const now = value();
      if (now !== field.value) attributes[field.keyword] = now;
    }
    const body = {
      attributes,
      status: this.status.value === this.study.status ? null : this.status.value,
      patient: this.patient.checked,
      reason: this.reason.value,
    };
    try {
      return await call<T>("POST", `/actions/studies/${encodeURIComponent(this.study.study)}/edit${path}`, body, signal);
    } catch (error) {
      throw this.named(error);
    }
  }

  /** The error with the name of the field that people see in place of its keyword; the field is marked. */
  private named(error: unknown): unknown {
    const detail = error instanceof Problem && typeof error.told.detail === "string" ? error.told.detail : "";
    const found = /^(?:attributes\.)?(\w+): (.*)$/s.exec(detail);
    const control = found && this.controls.find((one) => one.field.keyword === found[1]);
    if (!found || !control) return error;
    markWrong(this.body, control.field.keyword);
    return new Error(`${control.field.name}: ${found[2]}`);
  }
}

function imaging(modalities: string): string {
  return modalities.split("\\").filter((one) => !ACCOMPANYING.has(one)).join("\\");
}

function shown(change: Change, value: string): string {
  if (change.keyword === "Status") return statusWord(value);
  if (change.vr === "PN") return wholeName(value);
  return change.vr === "DA" ? shownDate(value) : value;
}
