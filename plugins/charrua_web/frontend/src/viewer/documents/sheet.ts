/** What stands around a document: its title, and what can be done with it. */
import { t } from "../../pages/words";
import { make } from "../dom";
import { icon } from "../icons";
import { pathOf, type Instance } from "../model";
import { titleOf } from "./kinds";

export interface Sheet {
  /** Where more buttons go. */
  bar: HTMLElement;
  /** Where the document goes. */
  body: HTMLElement;
}

/** The address of an instance in a form that a browser shows or saves. */
export function addressOf(instance: Instance, mediaType: string): string {
  return `${pathOf(instance)}/rendered?accept=${encodeURIComponent(mediaType)}`;
}

/** Fills the element with a bar and a place for the document. */
export function sheetIn(element: HTMLElement, instance: Instance): Sheet {
  const bar = make("div", { class: "document-bar" }, make("h2", {}, titleOf(instance)));
  const body = make("div", { class: "document-body" });
  element.replaceChildren(bar, body);
  return { bar, body };
}

/** A link that opens an address in a tab of its own. */
export function tabLink(address: string, label: string): HTMLAnchorElement {
  return make("a", { class: "button", href: address, target: "_blank", rel: "noopener" }, label);
}

/** A link that saves what is at an address. */
export function saveLink(address: string, label: string, name = ""): HTMLAnchorElement {
  return make("a", { class: "button", href: address, download: name || true }, icon("download"), label);
}

/** A sentence in the place of a document, with what can be done instead. */
export function sentenceIn(body: HTMLElement, sentence: string, ...acts: Node[]): void {
  body.replaceChildren(make("div", { class: "document-said" }, make("p", {}, sentence), ...acts));
}

/** A page of the server in a frame in which nothing runs. */
export function frameOf(address: string, title: string): HTMLIFrameElement {
  // Without scripts and in an origin of its own; links within it may open a tab.
  return make("iframe", { src: address, title, sandbox: "allow-popups", class: "document-frame" });
}

/** A PDF in a frame, shown by the browser's own program: a sandbox would stop that, and no page runs in it. */
export function pdfFrameOf(address: string, title: string): HTMLIFrameElement {
  return make("iframe", { src: address, title, class: "document-frame" });
}

/** Whether this browser shows PDF within a page; on telephones most do not. */
export function showsPdf(): boolean {
  return navigator.pdfViewerEnabled ?? false;
}

export const words = {
  tab: (): string => t("Open in a new tab"),
  pdf: (): string => t("As PDF"),
  save: (): string => t("Save"),
};
