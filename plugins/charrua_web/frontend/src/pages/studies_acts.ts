/** What can be done with studies, for who may: buttons and keys of the list, its pane and the page of a study. */
import { confirmDelete, openAssign, openAttach, openEdit, openSend, undoLast } from "./actions";
import { h, icon } from "./dom";
import { download } from "./download";
import type { Key } from "./keys";
import { openShareDialog } from "./share";
import { viewerOf, type Action } from "./studies_model";
import { t } from "./words";

interface Act {
  label: string;
  icon: string;
  permission: string;
  key: string;
  run(uids: readonly string[]): Promise<void>;
  /** Only with one study. */
  single?: boolean;
  danger?: boolean;
}

/** In the order in which they stand. */
const ACTS: Act[] = [
  { label: t("Share"), icon: "share", permission: "share", key: "S", run: openShareDialog },
  { label: t("Send"), icon: "send", permission: "send", key: "s", run: openSend },
  { label: t("Edit"), icon: "edit", permission: "edit", key: "e", run: ([uid]) => openEdit(uid!), single: true },
  { label: t("Assign"), icon: "assign", permission: "edit", key: "", run: ([uid]) => openAssign(uid!), single: true },
  { label: t("Attach"), icon: "attach", permission: "store", key: "", run: ([uid]) => openAttach(uid!), single: true },
  { label: t("Download"), icon: "download", permission: "retrieve", key: "D", run: download },
  { label: t("Delete…"), icon: "delete", permission: "delete", key: "d", run: (uids) => confirmDelete(uids), danger: true },
];

/** How many actions stand beside Open before the others hide behind ⋯. */
const FIRST = 2;

/** What plugins add with a lower order stands before these actions, beside Open; the rest behind them. */
const OWN = 50;

/** The buttons at one study: Open, the most wanted ones, and the others behind ⋯; what deletes comes last. */
export function actsOf(uid: string, may: readonly string[], actions: readonly Action[]): HTMLElement {
  const own = (danger: boolean) => allowed(may).filter((act) => danger === (act.danger ?? false)).map((act) => button(act, () => [uid]));
  const links = (first: boolean) => actions.filter((one) => first === one.order < OWN).map((one) => link(one, uid));
  const before = links(true);
  const acts = [...own(false), ...links(false), ...own(true)];
  const open = may.includes("view") && h("a", { class: "button primary open", href: viewerOf(uid) }, t("Open"), h("kbd", {}, "↵"));
  const shown = acts.splice(0, Math.max(FIRST - before.length, 1));
  return h("div", { class: "acts" }, open, ...before, ...shown, acts.length > 0 && others(acts));
}

function link(action: Action, uid: string): HTMLElement {
  const apart = action.new_tab && { target: "_blank", rel: "noopener" };
  return h("a", { class: "button", href: hrefOf(action, uid), ...apart }, action.label);
}

/** The buttons at several studies. */
export function actsOfMany(uids: () => readonly string[], may: readonly string[]): HTMLElement[] {
  const many = uids().length > 1;
  return allowed(may)
    .filter((act) => !(many && act.single))
    .map((act) => button(act, uids));
}

export function hrefOf(action: Action, uid: string): string {
  return action.href.replaceAll("{study}", encodeURIComponent(uid));
}

/** The keys that do it with the studies that are chosen. */
export function keysOf(uids: () => readonly string[], may: readonly string[], actions: readonly Action[]): Key[] {
  const some = () => uids().length > 0;
  const keys: Key[] = allowed(may)
    .filter((act) => act.key)
    .map((act) => ({
      keys: [act.key],
      what: act.label,
      run: () => void act.run(act.single ? uids().slice(0, 1) : uids()),
      when: some,
    }));
  for (const action of actions.filter((one) => one.key)) {
    keys.push({ keys: [action.key], what: action.label, when: some, run: () => openAddress(action, uids()[0] ?? "") });
  }
  if (may.includes("edit") || may.includes("delete")) {
    keys.push({ keys: ["u"], what: t("Undo what you did last"), run: () => void undoLast() });
  }
  return keys;
}

function openAddress(action: Action, uid: string): void {
  if (action.new_tab) window.open(hrefOf(action, uid), "_blank", "noopener");
  else location.assign(hrefOf(action, uid));
}

function allowed(may: readonly string[]): Act[] {
  return ACTS.filter((act) => may.includes(act.permission));
}

function button(act: Act, uids: () => readonly string[]): HTMLButtonElement {
  const shown = { type: "button", class: act.danger ? "danger" : "", onclick: () => void act.run(uids()) };
  return h("button", shown, icon(act.icon), act.label);
}

/** A menu behind ⋯; it closes with Escape and when the focus leaves it. */
function others(acts: HTMLElement[]): HTMLElement {
  const list = h("div", { class: "menu-list" }, ...acts);
  const menu = h("details", { class: "others" }, h("summary", { class: "button", "aria-label": t("More") }, icon("more")), list);
  list.addEventListener("click", () => (menu.open = false));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
    event.stopPropagation();
  });
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget as Node | null)) menu.open = false;
  });
  return menu;
}
