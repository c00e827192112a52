/** The page of remote servers: adding, changing, removing, and whether one answers. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { all, h, icon, one } from "./dom";
import { renew } from "./renewed";
import { toast } from "./toast";
import { t } from "./words";

export interface Peer {
  aet: string;
  host: string;
  port: number;
  tls_mode: string;
  timeout_s: number;
  permissions: string[];
  certificate: string;
  character_set: string;
  row_filter: Record<string, string[]>;
}

interface Reached {
  works: boolean;
  sentence: string;
  implementation: string;
  takes: string[];
  refuses: string[];
}

/** Those that modalities are mostly set to, of PS3.3 C.12.1.1.2; any other can be typed. */
const CHARACTER_SETS = [
  "ISO_IR 100",
  "ISO_IR 101",
  "ISO_IR 126",
  "ISO_IR 144",
  "ISO_IR 148",
  "ISO_IR 192",
  "GB18030",
  "\\ISO 2022 IR 87",
  "ISO 2022 IR 13\\ISO 2022 IR 87",
  "\\ISO 2022 IR 149",
];
const MAY = ["echo", "store", "query", "retrieve"];

export function start(page: HTMLElement): void {
  page.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("button");
    if (!button) return;
    if (button.hasAttribute("data-add")) void saved(edit({}));
    const row = button.closest<HTMLElement>("[data-peer]");
    if (!row) return;
    const peer = JSON.parse(row.dataset.peer ?? "{}") as Peer;
    if (button.hasAttribute("data-edit")) void saved(edit(peer));
    if (button.hasAttribute("data-delete")) void remove(peer);
    if (button.hasAttribute("data-test")) void test(button, { aet: peer.aet }, one("#tested"));
  });
}

async function saved(editing: Promise<boolean>): Promise<void> {
  if (await editing) await renew("peers");
}

function path(aet: string): string {
  return `/peers/${encodeURIComponent(aet)}`;
}

async function remove(peer: Peer): Promise<void> {
  try {
    await call("DELETE", path(peer.aet));
    await renew("peers");
    const { aet, ...rest } = peer;
    const undo = async () => {
      await call("PUT", path(aet), rest);
      await renew("peers");
    };
    toast(t("{aet} is removed from the remote servers.", { aet }), { undo });
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
}

/** Try to reach a remote server, and say in `place` how far it went. */
export async function test(button: HTMLButtonElement, asked: Partial<Peer>, place: HTMLElement): Promise<void> {
  button.disabled = true;
  place.replaceChildren(h("p", { class: "soft" }, t("Asking {aet} …", { aet: asked.aet ?? "" })));
  try {
    place.replaceChildren(shown(await call<Reached>("POST", "/peers/echo", asked)));
  } catch (error) {
    place.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
  } finally {
    button.disabled = false;
  }
}

function shown(found: Reached): HTMLElement {
  const takes = [
    ...found.takes.map((name) => h("i", { class: "yes" }, name)),
    ...found.refuses.map((name) => h("i", { class: "no" }, name)),
  ];
  return h(
    "div",
    { class: `notice ${found.works ? "good" : "bad"}` },
    icon(found.works ? "check" : "warn"),
    h(
      "div",
      { class: "reached" },
      h("p", {}, found.sentence),
      takes.length > 0 && h("div", { class: "takes", "aria-label": t("What it takes") }, ...takes),
      found.implementation && h("small", {}, t("It calls itself {name}.", { name: found.implementation })),
    ),
  );
}

/** Ask in a dialog for a remote server, filled in with what is known; gives true once it is saved. */
export function edit(known: Partial<Peer>, isNew = !known.tls_mode): Promise<boolean> {
  const tested = h("div", { role: "status", "aria-live": "polite" });
  const filters = filtersOf(known.row_filter ?? {});
  const content = [
    h(
      "div",
      { class: "fields" },
      field(t("AE title"), "aet", known.aet ?? "", { required: true, maxlength: 16, readonly: !isNew }, isNew ? "" : t("Add another one to change it.")),
      field(t("Host or address"), "host", known.host ?? "", { required: true, maxlength: 253 }, t("* comes from anywhere and is never called")),
      field(t("Port"), "port", String(known.port ?? 104), { required: true, inputmode: "numeric", pattern: "[0-9]{1,5}" }),
      field(t("Timeout in seconds"), "timeout_s", String(known.timeout_s ?? 30), { required: true, inputmode: "numeric", pattern: "[0-9]{1,4}" }),
      choice(t("TLS when it is called"), "tls_mode", known.tls_mode ?? "off", { off: t("off"), encrypt: t("encrypt, check nothing"), require: t("require its certificate") }),
    ),
    ticks(t("It may here"), "permissions", known.permissions ?? MAY),
    field(t("Certificate that proves it is this one"), "certificate", known.certificate ?? "", { spellcheck: "false" }, t("SHA-256 fingerprint, or subject as CN=ct1,O=Hospital; empty: its address does")),
    field(t("Character set that it is answered in"), "character_set", known.character_set ?? "", { spellcheck: "false", list: "character-sets" }, t("Empty: the one that it asks in, or Unicode. Another only where it can read no other: what that cannot write is left out or becomes ?")),
    h("datalist", { id: "character-sets" }, ...CHARACTER_SETS.map((value) => h("option", { value }))),
    filters.element,
    h("div", { class: "acts" }, h("button", { type: "button", onclick: (event) => void tryIt(event) }, t("Test"))),
    tested,
  ];
  const tryIt = (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    const form = button.form;
    if (!form?.reportValidity()) return Promise.resolve();
    const { row_filter, ...asked } = read(new FormData(form), filters.read());
    return test(button, asked, tested);
  };
  return ask({
    title: isNew ? t("Add a remote server") : t("Change {aet}", { aet: known.aet ?? "" }),
    content,
    confirm: t("Save"),
    wide: true,
    act: async (form) => {
      const { aet, ...peer } = read(form, filters.read());
      await call("PUT", path(aet), peer);
      toast(t("{aet} is saved.", { aet }));
    },
  });
}

function read(form: FormData, row_filter: Record<string, string[]>): Peer {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  return {
    aet: text("aet"),
    host: text("host"),
    port: Number(text("port")),
    tls_mode: text("tls_mode"),
    timeout_s: Number(text("timeout_s")),
    permissions: form.getAll("permissions").map(String),
    certificate: text("certificate"),
    character_set: text("character_set"),
    row_filter,
  };
}

function field(label: string, name: string, value: string, more: Record<string, string | number | boolean>, hint = ""): HTMLElement {
  return h("label", { class: "field" }, h("span", {}, label), h("input", { name, value, autocomplete: "off", ...more }), hint && h("small", {}, hint));
}

function choice(label: string, name: string, value: string, options: Record<string, string>): HTMLElement {
  const made = Object.entries(options).map(([one, word]) => h("option", { value: one, selected: one === value }, word));
  return h("label", { class: "field" }, h("span", {}, label), h("select", { name }, ...made));
}

function ticks(label: string, name: string, chosen: string[]): HTMLElement {
  const words: Record<string, string> = { echo: t("verify"), store: t("store"), query: t("search"), retrieve: t("retrieve") };
  const made = MAY.map((value) => h("label", { class: "tick" }, h("input", { type: "checkbox", name, value, checked: chosen.includes(value) }), h("span", {}, words[value] ?? value)));
  return h("fieldset", { class: "field" }, h("legend", {}, label), h("div", { class: "in-a-row" }, ...made));
}

/** Pairs of a keyword and its values: what the peer sees alone. */
function filtersOf(known: Record<string, string[]>): { element: HTMLElement; read: () => Record<string, string[]> } {
  const lines = h("div", { class: "filters" });
  const add = (keyword = "", values = "") =>
    lines.append(
      h(
        "div",
        {},
        h("input", { value: keyword, placeholder: "Modality", "aria-label": t("Attribute"), "data-keyword": true }),
        h("input", { value: values, placeholder: "CR, DX", "aria-label": t("Values, with commas"), "data-values": true }),
        h("button", { type: "button", class: "plain", "aria-label": t("Remove"), onclick: (event) => (event.currentTarget as Element).parentElement?.remove() }, icon("close")),
      ),
    );
  for (const [keyword, values] of Object.entries(known)) add(keyword, values.join(", "));
  const element = h(
    "fieldset",
    { class: "field" },
    h("legend", {}, t("It sees alone (all conditions must hold; none: it sees all)")),
    lines,
    h("div", {}, h("button", { type: "button", class: "inline", onclick: () => add() }, t("Add a condition"))),
  );
  const read = () => {
    const found: Record<string, string[]> = {};
    for (const line of all("div", lines)) {
      const keyword = one<HTMLInputElement>("[data-keyword]", line).value.trim();
      const values = one<HTMLInputElement>("[data-values]", line).value.split(",").map((value) => value.trim()).filter(Boolean);
      if (keyword && values.length) found[keyword] = values;
    }
    return found;
  };
  return { element, read };
}
