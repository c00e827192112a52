/** The keyboard: pages add what their keys do, `?` shows them all. */
import { t } from "./words";

export interface Key {
  /** As `KeyboardEvent.key` names them: "j", "ArrowDown", "?"; a capital letter is one with shift. */
  keys: readonly string[];
  /** What it does, in English. */
  what: string;
  run(event: KeyboardEvent): void;
  /** Whether it does anything at this moment; a key that does not is left to the browser. */
  when?(): boolean;
}

interface Group {
  name: string;
  keys: readonly Key[];
}

const groups: Group[] = [];
const SIGNS: Record<string, string> = {
  ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Enter: "↵", Escape: "Esc", " ": "Space",
};

/** Add keys under a heading of the map; gives a function that takes them away. */
export function addKeys(name: string, keys: readonly Key[]): () => void {
  if (groups.length === 0) document.addEventListener("keydown", pressed);
  const group = { name, keys };
  groups.push(group);
  return () => void groups.splice(groups.indexOf(group), 1);
}

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTheirs(event)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "?") return showMap();
  for (const group of [...groups].reverse()) {
    const key = group.keys.find((one) => one.keys.includes(event.key) && (one.when?.() ?? true));
    if (!key) continue;
    event.preventDefault();
    key.run(event);
    return;
  }
}

/** Whether the key writes text where the focus is, or presses what has the focus. */
function isTheirs(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (["Enter", " "].includes(event.key) && target.matches("a[href], button, summary, input")) return true;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit"].includes(target.type);
}

/** Show all keys that the page knows. */
export function showMap(): void {
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
  dialog.setAttribute("aria-label", t("Keyboard"));
  const title = document.createElement("h2");
  title.textContent = t("Keyboard");
  const close = document.createElement("button");
  close.textContent = t("Close");
  close.addEventListener("click", () => dialog.close());
  const header = document.createElement("header");
  header.append(title, close);
  dialog.append(header, ...[...groups].map(section));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function section(group: Group): HTMLElement {
  const part = document.createElement("section");
  const name = document.createElement("h3");
  name.textContent = t(group.name);
  const list = document.createElement("dl");
  for (const key of group.keys) {
    const term = document.createElement("dt");
    for (const one of key.keys) {
      const sign = document.createElement("kbd");
      sign.textContent = SIGNS[one] ?? one;
      term.append(sign);
    }
    const what = document.createElement("dd");
    what.textContent = t(key.what);
    list.append(term, what);
  }
  part.append(name, list);
  return part;
}
