/** Dialogs and menus of the viewer. */
import { t } from "../pages/words";
import { make } from "./dom";

/** Asks for a text; gives the one that was there when nothing was changed. */
export function askText(label: string, current: string): Promise<string> {
  return new Promise((resolve) => {
    const input = make("input", { type: "text", name: "text", maxlength: 64, value: current, autocomplete: "off" });
    const buttons = make("div", { class: "buttons" });
    buttons.append(make("button", { type: "submit", class: "primary" }, t("OK")));
    const form = make("form", { method: "dialog" }, make("label", {}, make("span", {}, label), input), buttons);
    const dialog = make("dialog", { class: "ask" }, form);
    form.addEventListener("submit", () => dialog.close(input.value.trim()));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || current);
    });
    document.body.append(dialog);
    dialog.showModal();
    input.select();
  });
}

/** Shows words in a dialog that Escape closes. */
export function showDialog(title: string, ...content: Node[]): void {
  const close = make("button", { type: "submit" }, t("Close"));
  const form = make("form", { method: "dialog", class: "buttons" }, close);
  const dialog = make("dialog", { class: "wide", "aria-label": title }, make("h2", {}, title), ...content, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export interface Choice {
  label: string;
  key?: string;
  chosen?: boolean;
  act: () => void;
}

/** Opens a menu below a button: arrows go through it, Escape and a press elsewhere close it. */
export function openMenu(button: HTMLElement, choices: Choice[], empty: string): void {
  const menu = make("div", { class: "menu", role: "menu", popover: "auto" });
  for (const { label, key, chosen, act } of choices) {
    const item = make("button", { type: "button", role: "menuitemradio", "aria-checked": String(Boolean(chosen)) }, label);
    if (key) item.append(make("kbd", {}, key));
    item.addEventListener("click", () => {
      menu.hidePopover();
      act();
    });
    menu.append(item);
  }
  if (!choices.length) menu.append(make("p", {}, empty));
  menu.addEventListener("keydown", (event) => walk(event, menu));
  menu.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState !== "closed") return;
    menu.remove();
    button.focus();
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, button);
  menu.querySelector<HTMLElement>("[aria-checked=true], button")?.focus();
}

function place(menu: HTMLElement, button: HTMLElement): void {
  const { left, bottom } = button.getBoundingClientRect();
  menu.style.top = `${bottom + 4}px`;
  menu.style.left = `${Math.max(Math.min(left, innerWidth - menu.offsetWidth - 8), 8)}px`;
}

function walk(event: KeyboardEvent, menu: HTMLElement): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll<HTMLElement>("button")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + step + items.length) % items.length]?.focus();
}
