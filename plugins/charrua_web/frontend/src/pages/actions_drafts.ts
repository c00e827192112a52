/** What is typed into a dialog and not yet saved: kept for this window and user, so that a reload or a slip loses nothing. */
import { all, h } from "./dom";
import { t } from "./words";

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
const CONTROLS = "input[name], select[name], textarea[name]";

/**
 * Keep what is typed into the controls of an element, and bring back what was; gives what forgets it. `lacking` may add a
 * control that the element had then.
 */
export function keepDraft(name: string, within: HTMLElement, brought: () => void, lacking?: (name: string) => void): () => void {
  const own = `charrua.draft.${document.body.dataset.user ?? ""}.`;
  const key = `${own}${name}`;
  for (const one of Object.keys(sessionStorage)) if (one.startsWith("charrua.draft.") && !one.startsWith(own)) sessionStorage.removeItem(one);
  const forget = () => sessionStorage.removeItem(key);
  const first = stateOf(within);
  within.addEventListener("input", () => sessionStorage.setItem(key, JSON.stringify(stateOf(within))));
  const kept = read(key);
  for (const one of Object.keys(kept ?? {})) if (!(one in first) && !one.includes("=")) lacking?.(one);
  if (kept && JSON.stringify(kept) !== JSON.stringify(first) && put(within, kept)) {
    within.prepend(note(() => [put(within, first), forget(), brought()]));
    brought();
  }
  return forget;
}

function note(startOver: () => void): HTMLElement {
  const again = h("button", { type: "button" }, t("Start over"));
  const said = h("p", { class: "kept", role: "status" }, t("This is what you had typed before."), again);
  again.addEventListener("click", () => {
    startOver();
    said.remove();
  });
  return said;
}

function stateOf(within: HTMLElement): Record<string, string | boolean> {
  const state: Record<string, string | boolean> = {};
  for (const control of all<Control>(CONTROLS, within)) {
    if (control instanceof HTMLInputElement && control.type === "file") continue;
    state[keyOf(control)] = isTicked(control) ? control.checked : control.value;
  }
  return state;
}

/** Bring values back; gives whether anything is another now. */
function put(within: HTMLElement, state: Record<string, string | boolean>): boolean {
  let changed = false;
  for (const control of all<Control>(CONTROLS, within)) {
    const value = state[keyOf(control)];
    if (value === undefined) continue;
    if (isTicked(control)) {
      changed ||= control.checked !== value;
      control.checked = value === true;
    } else {
      changed ||= control.value !== value;
      control.value = String(value);
    }
  }
  return changed;
}

function keyOf(control: Control): string {
  return isTicked(control) ? `${control.name}=${control.value}` : control.name;
}

function isTicked(control: Control): control is HTMLInputElement {
  return control instanceof HTMLInputElement && (control.type === "checkbox" || control.type === "radio");
}

function read(key: string): Record<string, string | boolean> | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") as Record<string, string | boolean> | null;
  } catch {
    return null;
  }
}
