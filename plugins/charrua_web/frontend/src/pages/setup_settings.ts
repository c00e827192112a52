/** The page of settings: finding one, changing it, taking it back, and what it was. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { all, h, one } from "./dom";
import { renew } from "./renewed";
import { toast } from "./toast";
import { t } from "./words";

interface Setting {
  name: string;
  value: string | number | boolean | null;
  shown: string;
  source: string;
  effect: string;
}

interface Change {
  value: string | number | boolean | null;
  shown: string;
  changed_by: string;
  changed_at: string;
}

const AT_ONCE = new Set(["switch", "choice", "choices"]);

export function start(page: HTMLElement): void {
  const find = one<HTMLInputElement>("#find", page);
  const which = one<HTMLSelectElement>("#which", page);
  const show = () => filter(page, find.value, which.value);
  find.addEventListener("input", show);
  which.addEventListener("change", show);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || (event.target as Element).closest("input, textarea, select")) return;
    event.preventDefault();
    find.focus();
  });
  if (new URLSearchParams(location.search).get("which") === "waits") which.value = "waits";
  show();

  page.addEventListener("input", (event) => touched(event));
  page.addEventListener("change", (event) => {
    const row = rowOf(event);
    if (row && AT_ONCE.has(row.dataset.kind ?? "")) void save(row);
  });
  page.addEventListener("submit", (event) => {
    event.preventDefault();
    const row = rowOf(event);
    if (row) void save(row);
  });
  page.addEventListener("reset", (event) => setTimeout(() => settled(rowOf(event))));
  page.addEventListener("keydown", (event) => {
    if (event.key === "Escape") rowOf(event)?.querySelector("form")?.reset();
  });
  page.addEventListener("click", (event) => {
    const row = rowOf(event);
    const button = (event.target as Element).closest("button");
    if (row && button?.hasAttribute("data-default")) void change(row, null);
    if (row && button?.hasAttribute("data-history")) void history(row);
  });
}

function rowOf(event: Event): HTMLElement | null {
  return (event.target as Element).closest<HTMLElement>(".setting");
}

/** Show the settings whose name, help or topic has all the words. */
function filter(page: HTMLElement, text: string, which: string): void {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const topic of all(".topic", page)) {
    let some = false;
    const heading = one("h2", topic).textContent ?? "";
    for (const row of all(".setting", topic)) {
      const about = `${heading} ${one(".about", row).textContent}`.toLowerCase();
      const fits = words.every((word) => about.includes(word)) && isOf(row, which);
      row.hidden = !fits;
      some ||= fits;
      shown += Number(fits);
    }
    topic.hidden = !some;
  }
  one("#found", page).textContent = words.length || which ? t("{count} settings", { count: shown }) : "";
}

function isOf(row: HTMLElement, which: string): boolean {
  if (which === "changed") return row.dataset.source === "database";
  if (which === "waits") return "waits" in row.dataset;
  if (which === "fixed") return "fixed" in row.dataset;
  return true;
}

function touched(event: Event): void {
  const row = rowOf(event);
  if (row && !AT_ONCE.has(row.dataset.kind ?? "")) one(".given .acts", row).hidden = false;
}

function settled(row: HTMLElement | null): void {
  if (!row) return;
  one(".given .acts", row).hidden = true;
  one(".wrong", row).hidden = true;
  row.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
}

function save(row: HTMLElement): Promise<void> {
  return change(row, given(row));
}

/** What the row's controls say; null where they are empty, and so stand for the default. */
function given(row: HTMLElement): string | boolean | null {
  const controls = all<HTMLInputElement | HTMLSelectElement>("[name=value]", row);
  if (row.dataset.kind === "choices") {
    return controls.filter((control) => (control as HTMLInputElement).checked).map((control) => control.value).join(" ");
  }
  const control = controls[0];
  if (!control) return null;
  if (row.dataset.kind === "switch") return (control as HTMLInputElement).checked;
  if (row.dataset.kind === "choice" || row.dataset.kind === "words") return control.value;
  return control.value.trim() || null;
}

async function change(row: HTMLElement, value: string | number | boolean | null): Promise<void> {
  const name = row.dataset.setting ?? "";
  const before = await current(name);
  try {
    const now = await put(name, value);
    await renew(row.id, "waiting");
    const sentence = now.effect === "at once" ? t("{name} is set and works at once.", { name }) : t("{name} is set and works from the next start on.", { name });
    const back = before?.source === "database" ? before.value : null;
    const undo = async () => {
      await put(name, back);
      await renew(row.id, "waiting");
    };
    toast(sentence, { undo: "secret" in row.dataset ? undefined : undo });
  } catch (error) {
    const wrong = one(".wrong", row);
    wrong.textContent = sentenceOf(error);
    wrong.hidden = false;
    row.querySelector("[name=value]")?.setAttribute("aria-invalid", "true");
    if (AT_ONCE.has(row.dataset.kind ?? "")) one<HTMLFormElement>("form", row).reset(), showAgain(wrong);
  }
}

/** A reset hides what is wrong; here it stays. */
function showAgain(wrong: HTMLElement): void {
  setTimeout(() => (wrong.hidden = false));
}

async function current(name: string): Promise<Setting | undefined> {
  const settings = await call<Setting[]>("GET", "/settings");
  return settings.find((setting) => setting.name === name);
}

function put(name: string, value: string | number | boolean | null): Promise<Setting> {
  return value === null ? call("DELETE", `/settings/${name}`) : call("PUT", `/settings/${name}`, { value });
}

async function history(row: HTMLElement): Promise<void> {
  const name = row.dataset.setting ?? "";
  const changes = await call<Change[]>("GET", `/settings/${name}/history`);
  const list = h("ul", { class: "past" }, ...changes.map((one, place) => past(row, one, place)));
  const nothing = h("p", {}, t("It was never changed here."));
  await ask({ title: t("History of {name}", { name }), content: [changes.length ? list : nothing] });
}

function past(row: HTMLElement, was: Change, place: number): HTMLElement {
  const secret = "secret" in row.dataset;
  const shown = was.value === null && !secret ? t("back to file or default") : was.shown || (secret ? t("changed, not shown") : t("empty"));
  const back = () => {
    document.querySelector("dialog")?.close();
    void change(row, was.value);
  };
  return h(
    "li",
    {},
    h("b", {}, shown),
    h("small", {}, `${was.changed_by}, ${new Date(was.changed_at).toLocaleString()}`),
    !secret && place > 0 && h("button", { type: "button", onclick: back }, t("Set this again")),
  );
}
