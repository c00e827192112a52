/** What has just happened, told at the foot of the page, with the way back where there is one. */
import { type Method, call } from "./api";
import { h, icon, one } from "./dom";
import { t } from "./words";

const STAYS_MS = 8000;

/** Tell it. With `undo` there is a button, and it stays until it is closed or longer than others. */
export function toast(sentence: string, options: { kind?: "good" | "bad"; undo?: () => Promise<void>; link?: { href: string; label: string } } = {}): void {
  const gone = () => shown.remove();
  const undo = options.undo;
  const shown = h(
    "div",
    { class: `toast ${options.kind ?? "good"}` },
    h("span", {}, sentence),
    options.link && h("a", { class: "linked", href: options.link.href }, options.link.label),
    undo && h("button", { type: "button", onclick: () => void undo().then(gone, (error) => toast(String(error.message ?? error), { kind: "bad" })) }, t("Undo")),
    h("button", { type: "button", class: "plain", "aria-label": t("Close"), onclick: gone }, icon("close")),
  );
  one("#toasts").append(shown);
  setTimeout(gone, options.undo || options.kind === "bad" ? STAYS_MS * 3 : STAYS_MS);
}

const LATER = "charrua-told";

/** Tell it on the page that comes next; `undo` is a call that takes it back: `POST /rules/1/restore`, with JSON after it or none. */
export function later(sentence: string, undo?: string): void {
  sessionStorage.setItem(LATER, JSON.stringify([sentence, undo]));
}

/** Tell what the page before has left to tell. */
export function showLater(): void {
  const left = sessionStorage.getItem(LATER);
  if (!left) return;
  sessionStorage.removeItem(LATER);
  const [sentence, undo] = JSON.parse(left) as [string, string | null];
  toast(sentence, undo ? { undo: () => takeBack(undo) } : {});
}

async function takeBack(undo: string): Promise<void> {
  const [method, path, ...body] = undo.split(" ") as [Method, string, ...string[]];
  await call(method, path, body.length ? JSON.parse(body.join(" ")) : undefined);
  location.reload();
}
