/** What a person chooses for the list: columns and their order, saved searches, further fields. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { h, icon } from "./dom";
import type { Column } from "./studies_model";
import { toast } from "./toast";
import { t } from "./words";

export interface Saved {
  name: string;
  query: string;
}

const COLUMNS = "/preferences/studies.columns";
const SEARCHES = "/preferences/studies.searches";

/** Keep columns and order; that it could not be kept is told. */
export async function keepColumns(columns: readonly string[], order: string): Promise<void> {
  await keep(COLUMNS, { columns, order });
}

async function keep(path: string, value: unknown): Promise<void> {
  try {
    await call("PUT", path, value);
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
}

/** Ask for columns; gives their names in the order chosen, null where it was left as it is. */
export async function askColumns(every: readonly Column[], chosen: readonly string[], usual: readonly string[]): Promise<string[] | null> {
  const list = h("ol", { class: "choose" });
  const fill = (names: readonly string[]) => {
    const others = every.map((column) => column.name).filter((name) => !names.includes(name));
    list.replaceChildren(...[...names, ...others].map((name) => choice(every.find((one) => one.name === name)!, names.includes(name))));
  };
  fill(chosen);
  let result: string[] | null = null;
  await ask({
    title: t("Columns"),
    content: [list, h("button", { type: "button", class: "plain", onclick: () => fill(usual) }, icon("undo"), t("As usual"))],
    confirm: t("Show"),
    act: async (form) => {
      const names = form.getAll("column").map(String);
      result = names.includes("patient") ? names : ["patient", ...names];
    },
  });
  return result;
}

function choice(column: Column, shown: boolean): HTMLElement {
  const fixed = column.name === "patient";
  const box = h("input", { type: "checkbox", name: "column", value: column.name, checked: shown || fixed, onclick: (event) => fixed && event.preventDefault() });
  const item = h("li", {}, h("label", { class: "tick" }, box, h("span", {}, column.label)));
  const move = (label: string, symbol: string, by: () => void) =>
    h("button", { type: "button", class: "plain", "aria-label": label, title: label, onclick: (event) => { by(); (event.currentTarget as HTMLElement).focus(); } }, symbol);
  item.append(
    move(t("{column} further left", { column: column.label }), "↑", () => item.previousElementSibling?.before(item)),
    move(t("{column} further right", { column: column.label }), "↓", () => item.nextElementSibling?.after(item)),
  );
  return item;
}

/** Show saved searches: one is chosen, the present one is saved, others are taken away. */
export async function askSearches(saved: Saved[], present: string, use: (query: string) => void): Promise<void> {
  const list = h("ul", { class: "choose" });
  const fill = () => list.replaceChildren(...saved.map((one) => item(one)), ...(saved.length ? [] : [h("li", {}, h("small", {}, t("None is saved yet.")))]));
  const item = (one: Saved) =>
    h(
      "li",
      {},
      h("button", { type: "button", class: "plain name", onclick: (event) => { (event.currentTarget as HTMLElement).closest("dialog")?.close(); use(one.query); } }, one.name),
      h("button", { type: "button", class: "plain", "aria-label": t("Forget {name}", { name: one.name }), onclick: () => { saved.splice(saved.indexOf(one), 1); fill(); void keep(SEARCHES, saved); } }, icon("delete")),
    );
  fill();
  const name = h("input", { name: "name", maxlength: 60, required: true, placeholder: t("Chests of today"), autocomplete: "off" });
  await ask({
    title: t("Saved searches"),
    content: [list, h("label", { class: "field" }, h("span", {}, t("Save the present search as")), name)],
    confirm: t("Save"),
    act: async (form) => {
      const given = String(form.get("name")).trim();
      const others = saved.filter((one) => one.name !== given);
      saved.splice(0, saved.length, ...others, { name: given, query: present });
      await call("PUT", SEARCHES, saved);
      toast(t("Saved."));
    },
  });
}

/** Ask for a further field; gives its keyword and label, null for none. */
export async function askField(fields: readonly { name: string; label: string }[]): Promise<{ name: string; label: string } | null> {
  const input = h("input", { name: "field", list: "fields", required: true, autocomplete: "off", spellcheck: "false" });
  const options = h("datalist", { id: "fields" }, ...fields.map((one) => h("option", { value: one.label }, one.name)));
  let result: { name: string; label: string } | null = null;
  await ask({
    title: t("Search by another field"),
    content: [
      h("label", { class: "field" }, h("span", {}, t("Field")), input, h("small", {}, t("One of the list, or any keyword or tag of DICOM that patients, studies or series have."))),
      options,
    ],
    confirm: t("Add"),
    act: async (form) => {
      const given = String(form.get("field")).trim();
      const known = fields.find((one) => [one.name.toLowerCase(), one.label.toLowerCase()].includes(given.toLowerCase()));
      result = known ?? { name: given.replaceAll(/[\s(),]/g, ""), label: given };
    },
  });
  return result;
}
