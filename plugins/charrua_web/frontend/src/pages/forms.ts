/**
 * Forms that are sent as JSON, described by their attributes, so that templates of any plugin have them:
 *
 *     <form data-send="PUT /routing/rules/1" data-then="/setup/routing" data-told="The rule was changed.">
 *
 * `data-undo` is a call that takes it back, as of buttons.
 * A field's name says where its value stands: `when.modality`. `data-as` says what it is: `list` (parted by commas or lines),
 * `number`, `yes` (true or false), `json`; a text else. What is empty is left out, with `data-keep` it is null or the empty
 * text. `<div data-rows="when.attributes">` holds rows made of its `<template>`, each an object of a list; with
 * `data-rows-as="map"` each is a pair: its field `key`, and `value`. `[data-add]` adds one, `[data-drop]` takes it away.
 */
import { type Method, Problem, call, sentenceOf } from "./api";
import { go } from "./acts";
import { all, one } from "./dom";
import { t } from "./words";

type Json = Record<string, unknown>;
type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

export function start(form: HTMLElement): void {
  if (!(form instanceof HTMLFormElement)) return;
  form.addEventListener("click", (event) => {
    const at = event.target as Element;
    const add = at.closest<HTMLElement>("[data-add]");
    if (add) addRow(one(`[data-rows="${add.dataset.add}"]`, form));
    const row = at.closest("[data-drop]")?.closest("[data-rows] > :not(template)");
    if (row) {
      row.remove();
      form.dispatchEvent(new Event("change"));
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form);
  });
}

function addRow(rows: HTMLElement): void {
  rows.append(one<HTMLTemplateElement>(":scope > template", rows).content.cloneNode(true));
  rows.lastElementChild?.querySelector<HTMLElement>("input, select")?.focus();
}

async function send(form: HTMLFormElement): Promise<void> {
  const [method, path] = (form.dataset.send ?? "").split(" ", 2) as [Method, string];
  const wrong = one(".wrong", form);
  const button = form.querySelector<HTMLButtonElement>("button.primary");
  wrong.hidden = true;
  button?.toggleAttribute("disabled", true);
  try {
    await call(method, addressOf(path, form), bodyOf(form));
    go(form.dataset.then ?? ".", form.dataset.told, form.dataset.undo);
  } catch (error) {
    wrong.textContent = sentenceOf(error);
    wrong.hidden = false;
    wrong.scrollIntoView({ block: "nearest" });
    button?.toggleAttribute("disabled", false);
  }
}

/** The path, with `{name}` in it replaced by the field of that name, which then is no part of the body. */
function addressOf(path: string, form: HTMLFormElement): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(one<Field>(`[name="${name}"]`, form).value.trim()));
}

/** What a form says, as JSON. */
export function bodyOf(form: HTMLFormElement): Json {
  const body: Json = {};
  const path = form.dataset.send ?? "";
  for (const field of all<Field>("[name]", form)) {
    if (field.disabled || field.closest("[data-rows]") || path.includes(`{${field.name}}`)) continue;
    put(body, field.name, valueOf(field));
  }
  for (const rows of all("[data-rows]", form)) {
    const read = rows.dataset.rowsAs === "map" ? pairsOf(rows) : listOf(rows);
    const empty = Array.isArray(read) ? !read.length : !Object.keys(read).length;
    put(body, rows.dataset.rows ?? "", empty ? ("keep" in rows.dataset ? null : undefined) : read);
  }
  const version = form.dataset.version;
  return version === undefined ? body : { version: Number(version), [form.dataset.within ?? "rule"]: body };
}

function rowsOf(rows: HTMLElement): HTMLElement[] {
  return all(":scope > :not(template)", rows);
}

function listOf(rows: HTMLElement): Json[] {
  return rowsOf(rows)
    .map((row) => {
      const read: Json = {};
      for (const field of all<Field>("[name]", row)) put(read, field.name, valueOf(field));
      return read;
    })
    .filter((read) => Object.keys(read).length);
}

function pairsOf(rows: HTMLElement): Json {
  const read: Json = {};
  for (const row of rowsOf(rows)) {
    const key = one<Field>("[name=key]", row).value.trim();
    const value = valueOf(one<Field>("[name=value]", row));
    if (!key || value === undefined) continue;
    // The same key twice: both count.
    read[key] = Array.isArray(value) && Array.isArray(read[key]) ? [...(read[key] as unknown[]), ...value] : value;
  }
  return read;
}

function valueOf(field: Field): unknown {
  if (field instanceof HTMLInputElement && field.type === "radio") return field.checked ? field.value : undefined;
  if (field instanceof HTMLInputElement && field.type === "checkbox") {
    if (!field.hasAttribute("value")) return field.checked;
    return field.checked ? [field.value] : undefined;
  }
  const text = field.value.trim();
  const kind = field.dataset.as;
  if (!text) return "keep" in field.dataset ? (kind ? null : "") : undefined;
  if (kind === "list") return partsOf(text);
  if (kind === "number") return Number(text);
  if (kind === "yes") return text === "true";
  if (kind === "json") return jsonOf(text);
  return text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(0, t("This is no JSON: {text}", { text: text.slice(0, 80) }));
  }
}

/** The parts of `CT, MR, "HEAD, NECK"`: what has a comma in it stands in quotes. */
export function partsOf(text: string): string[] {
  const parts = [...text.matchAll(/\s*"([^"]*)"\s*|[^,\n]+/g)].map((found) => (found[1] ?? found[0]).trim());
  return parts.filter(Boolean);
}

function put(body: Json, name: string, value: unknown): void {
  if (value === undefined) return;
  const parts = name.split(".");
  const last = parts.pop() ?? "";
  let at = body;
  for (const part of parts) at = (at[part] ??= {}) as Json;
  // Ticked values of one name are a list.
  at[last] = Array.isArray(value) && Array.isArray(at[last]) ? [...(at[last] as unknown[]), ...value] : value;
}
