/** Controls for attributes: names in their parts, dates and times as the browser has them, all else as text. */
import { all, h } from "./dom";
import type { Field } from "./actions_model";
import { t } from "./words";

/** A control for one attribute; `value` is what DICOM has of it now. */
export interface Control {
  field: Field;
  element: HTMLElement;
  value(): string;
}

const PARTS: [string, string][] = [
  ["family", t("Family name")], ["given", t("Given name")], ["middle", t("Middle name")], ["prefix", t("Prefix")], ["suffix", t("Suffix")],
];
const LONG = new Set(["LT", "ST", "UT"]);
const SEXES: [string, string][] = [["", t("not known")], ["F", t("Female")], ["M", t("Male")], ["O", t("Other")]];

/** What the fields are called on the ward, where DICOM's word is another. */
const WORDS: Record<string, string> = {
  PatientName: t("Name"), PatientBirthDate: t("Birth date"), PatientSex: t("Sex"), PatientComments: t("Comments on the patient"),
  AdditionalPatientHistory: t("Clinical data"), ReferringPhysicianName: t("Referring physician"), InstitutionName: t("Institution"),
  StudyDescription: t("Description"), Status: t("Status"), StudyDate: t("Study date"), StudyTime: t("Study time"), StudyID: t("Study ID"),
  AccessionNumber: t("Accession"), IssuerOfPatientID: t("Issuer of ID"), SeriesDescription: t("Series description"), BodyPartExamined: t("Body part"),
};

export function wordOf(field: { keyword: string; name: string }): string {
  return WORDS[field.keyword] ?? t(field.name);
}

export function controlOf(given: Field): Control {
  const field = { ...given, name: wordOf(given) };
  if (field.vr === "PN") return nameControl(field);
  if (field.keyword === "PatientSex" && SEXES.some(([value]) => value === field.value)) return choiceControl(field, SEXES);
  if (field.vr === "DA" && (!field.value || isoDate(field.value))) return dateControl(field);
  if (field.vr === "TM" && (!field.value || /^\d{6}(\.\d+)?$/.test(field.value))) return timeControl(field);
  return textControl(field);
}

function textControl(field: Field): Control {
  const input = LONG.has(field.vr)
    ? h("textarea", { name: field.keyword, rows: 2 })
    : h("input", { name: field.keyword, autocomplete: "off", inputmode: field.vr === "IS" || field.vr === "DS" ? "decimal" : null });
  input.value = field.value;
  return { field, element: labelled(field.name, input, LONG.has(field.vr)), value: () => input.value.trim() };
}

function choiceControl(field: Field, options: readonly [string, string][]): Control {
  const input = h("select", { name: field.keyword }, ...options.map(([value, word]) => h("option", { value, selected: value === field.value }, word)));
  return { field, element: labelled(field.name, input), value: () => input.value };
}

function isoDate(value: string): string {
  const found = /^(\d{4})(\d{2})(\d{2})$/.exec(value);
  if (!found) return "";
  const iso = `${found[1]}-${found[2]}-${found[3]}`;
  const date = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(date.valueOf()) && date.toISOString().startsWith(iso) ? iso : "";
}

function dateControl(field: Field): Control {
  const input = h("input", { type: "date", name: field.keyword, min: "1800-01-01", max: "2199-12-31" });
  input.value = isoDate(field.value);
  return { field, element: labelled(field.name, input), value: () => dateIn(input, field) };
}

/** What was typed, or an error that says that it is no day. */
function dateIn(input: HTMLInputElement, field: Field): string {
  if (input.validity.badInput) throw new Error(t("{field}: there is no such day.", { field: field.name }));
  return input.value.replaceAll("-", "");
}

function timeControl(field: Field): Control {
  const input = h("input", { type: "time", step: 1, name: field.keyword });
  const first = field.value ? `${field.value.slice(0, 2)}:${field.value.slice(2, 4)}:${field.value.slice(4, 6)}` : "";
  input.value = first;
  const shown = input.value;
  return {
    field,
    element: labelled(field.name, input),
    // Fractions of seconds, which the control does not show, stay where the time does.
    value: () => (input.value === shown ? field.value : input.value.replaceAll(":", "").padEnd(input.value ? 6 : 0, "0")),
  };
}

/** The parts of a person's name, and its ideographic and phonetic forms, each on a line (PS3.5 6.2.1). */
function nameControl(field: Field): Control {
  const [alphabetic = "", ideographic = "", phonetic = ""] = field.value.split("=");
  const parts = alphabetic.split("^");
  const inputs = PARTS.map(([part], number) => input(`${field.keyword}.${part}`, parts[number] ?? ""));
  if (field.keyword === "PatientName") inputs[0]!.autofocus = true;
  const others = [input(`${field.keyword}.ideographic`, ideographic), input(`${field.keyword}.phonetic`, phonetic)];
  const more = h(
    "details",
    { class: "more", open: parts.slice(2).some(Boolean) || !!ideographic || !!phonetic },
    h("summary", {}, t("More of the name")),
    h("div", { class: "fields" },
      ...PARTS.slice(2).map(([, word], number) => labelled(word, inputs[number + 2]!)),
      labelled(t("Ideographic (family^given)"), others[0]!),
      labelled(t("Phonetic (family^given)"), others[1]!)),
  );
  const first = h("div", { class: "fields" }, ...PARTS.slice(0, 2).map(([, word], number) => labelled(word, inputs[number]!)));
  const value = () => {
    const written = inputs.map((one) => one.value.trim().replaceAll("^", " ")).join("^").replace(/\^+$/, "");
    return [written, ...others.map((one) => one.value.trim())].join("=").replace(/=+$/, "");
  };
  return { field, element: h("fieldset", { class: "name" }, h("legend", {}, field.name), first, more), value };
}

function input(name: string, value: string): HTMLInputElement {
  const made = h("input", { name, autocomplete: "off", maxlength: 64 });
  made.value = value;
  return made;
}

function labelled(label: string, control: HTMLElement, wide = false): HTMLLabelElement {
  return h("label", { class: wide ? "field wide" : "field" }, h("span", {}, label), control);
}

/** Mark the controls of an attribute as wrong, or none. */
export function markWrong(within: HTMLElement, keyword: string): void {
  for (const control of all("[aria-invalid]", within)) control.removeAttribute("aria-invalid");
  for (const control of keyword ? all(`[name="${CSS.escape(keyword)}"], [name^="${CSS.escape(keyword)}."]`, within) : []) {
    control.setAttribute("aria-invalid", "true");
  }
}
