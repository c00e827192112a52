/** The pane beside the list: the study in hand, told when the hand rests on it. */
import { call, sentenceOf } from "./api";
import { h } from "./dom";
import { detailsOf } from "./studies_detail";
import { type Action, type Details, type Row } from "./studies_model";
import { t } from "./words";

const REST_MS = 120;
/** Where the screen has room for it. */
const wide = matchMedia("(min-width: 1101px)");

export class Pane {
  private row: Row | null = null;
  private drawn = "";
  private waiting = 0;
  private asking: AbortController | null = null;

  constructor(
    private readonly element: HTMLElement,
    private readonly may: readonly string[],
    private readonly actions: readonly Action[],
  ) {
    wide.addEventListener("change", () => this.show(this.row));
  }

  show(row: Row | null): void {
    this.row = row;
    this.element.hidden = !row || !wide.matches;
    if (this.element.hidden || !row || JSON.stringify(row) === this.drawn) return;
    clearTimeout(this.waiting);
    this.asking?.abort();
    this.waiting = window.setTimeout(() => void this.load(row), this.drawn ? REST_MS : 0);
  }

  /** The list was asked for again: the study in hand may have changed. */
  renew(): void {
    this.show(this.row);
  }

  /** What is drawn may be old, also where the row stays as it is. */
  forget(): void {
    this.drawn = this.drawn && ` ${this.row?.uid ?? ""}`;
  }

  private async load(row: Row): Promise<void> {
    const asking = (this.asking = new AbortController());
    try {
      const details = await call<Details>("GET", `/studies/${row.uid}/details`, undefined, asking.signal);
      const same = this.drawn.includes(row.uid);
      const top = this.element.scrollTop;
      this.drawn = JSON.stringify(row);
      const [acts, ...parts] = detailsOf(details, this.may, this.actions);
      this.element.replaceChildren(heading(details, acts), ...parts);
      this.element.scrollTop = same ? top : 0;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.drawn = "";
      this.element.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
    }
  }
}

function heading(details: Details, acts?: HTMLElement): HTMLElement {
  const { study, patient } = details;
  const about = [study.cells.modalities, study.cells.description, study.cells.date].filter(Boolean).join(" · ");
  const name = h("a", { href: `/studies/${study.uid}`, title: t("Page of the study") }, patient.name || t("no name"));
  return h("header", {}, h("h2", {}, name), h("p", {}, [patient.about, about].filter(Boolean).join(" · ")), acts);
}
