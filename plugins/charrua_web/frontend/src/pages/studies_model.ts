/** What the server says of studies, as the list, its pane and the page of a study share it. */
import { h } from "./dom";
import { t } from "./words";

export interface Row {
  uid: string;
  /** Text by the name of the column. */
  cells: Record<string, string>;
  about: string;
  modalities: string[];
  status: string;
  /** When its last image came. */
  last: string;
}

export interface Column {
  name: string;
  label: string;
  /** What the list is sorted by at its head; none: by nothing. */
  order: string;
  number: boolean;
}

export interface Action {
  label: string;
  href: string;
  key: string;
  order: number;
  new_tab: boolean;
}

export interface Series {
  uid: string;
  number: string;
  description: string;
  modality: string;
  body_part: string;
  images: number;
  at: string;
}

export interface Details {
  study: Row;
  patient: { name: string; about: string };
  facts: { label: string; text: string }[];
  series: Series[];
  documents: { uid: string; title: string; at: string; href: string }[];
  priors: Row[];
  may?: string[];
}

export interface Ledger {
  received: { kind: string; sender: string; objects: number; first_at: string; last_at: string }[];
  expected: { sender: string; objects: number; received: number; is_final: boolean }[];
  sent: { destination: string; objects: number; last_at: string }[];
  waiting: { destination: string; state: string; sendings: number; last_error: string }[];
  history: Edit[];
}

export interface Edit {
  id: string;
  kind: string;
  at: string;
  by: string;
  reason: string;
  level: string;
  series: number;
  undone: boolean;
  undoable: boolean;
  changes: { name: string; before: string; after: string }[];
}

/** So long after its last image a study counts as one that still comes. */
export const ARRIVING_MS = 30_000;

/** Whether images of it still come. */
export function isArriving(row: Row): boolean {
  return Date.now() - Date.parse(row.last) < ARRIVING_MS;
}

/** JSON that the page brought along. */
export function brought<T>(id: string): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? "null") as T;
}

/** The word for a report's status, or that images still come. */
export function statusPill(row: Row): HTMLElement {
  const words: Record<string, string> = {
    unread: t("unread"), preliminary: t("preliminary"), dictated: t("dictated"), transcribed: t("transcribed"), final: t("final"),
  };
  if (isArriving(row)) return h("b", { class: "pill arriving" }, t("arriving"));
  const kind = { unread: "unread", final: "final" }[row.status] ?? "prelim";
  return h("b", { class: `pill ${kind}` }, words[row.status] ?? row.status);
}

export function modalities(row: Row): HTMLElement[] {
  return row.modalities.map((code) => h("i", { class: "mod" }, code));
}

/** A number as the page's language groups it. */
export function grouped(value: number): string {
  return value.toLocaleString(document.documentElement.lang || "en");
}

/** A moment to the minute; the day only where it is not `beside`. */
export function clock(moment: string, beside = ""): string {
  const at = new Date(moment);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return beside && day === clock(beside).slice(0, 10) ? time : `${day} ${time}`;
}

export function viewerOf(uid: string, series = "", image = ""): string {
  const chosen = new URLSearchParams({ ...(series && { series }), ...(image && { instance: image }) }).toString();
  return `/viewer/${uid}${chosen && `?${chosen}`}`;
}
