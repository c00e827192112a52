/** The table of studies: its head, and rows that are changed where they stand, so that focus and scrolling stay. */
import { all, h, one } from "./dom";
import { isArriving, modalities, statusPill, viewerOf, type Column, type Row } from "./studies_model";
import { t } from "./words";

export class Table {
  readonly rows: Row[] = [];
  private readonly body: HTMLElement;
  private readonly head: HTMLElement;
  private readonly lines = new Map<string, HTMLTableRowElement>();
  private readonly drawn = new Map<string, string>();

  constructor(
    readonly element: HTMLTableElement,
    private columns: Column[],
    private readonly mayOpen: boolean,
  ) {
    this.body = one("tbody", element);
    this.head = one("thead tr", element);
    for (const line of all<HTMLTableRowElement>("tr[data-uid]", this.body)) this.lines.set(line.dataset.uid!, line);
  }

  /** Show these rows in their order; those that were not there before are marked where `fresh` is set. */
  show(rows: readonly Row[], fresh = false): void {
    this.rows.splice(0, this.rows.length, ...rows);
    const wanted = new Set(rows.map((row) => row.uid));
    for (const [uid, line] of this.lines) if (!wanted.has(uid)) this.drop(uid, line);
    rows.forEach((row, place) => {
      const known = this.lines.has(row.uid);
      const line = this.line(row);
      if (fresh) line.classList.toggle("new", !known);
      else line.classList.remove("new");
      if (this.body.children[place] !== line) this.body.insertBefore(line, this.body.children[place] ?? null);
    });
  }

  /** Show other columns. */
  arrange(columns: Column[], order: string): void {
    this.columns = columns;
    this.drawn.clear();
    this.sorted(order);
    this.show([...this.rows]);
  }

  /** Say by what it is sorted. */
  sorted(order: string): void {
    const name = order.replace("-", "");
    this.head.replaceChildren(this.head.firstElementChild!, ...this.columns.map((column) => this.heading(column, name, order.startsWith("-"))));
  }

  /** Look again which studies still come. */
  renew(): void {
    for (const row of this.rows) this.line(row);
  }

  line(row: Row): HTMLTableRowElement {
    const line = this.lines.get(row.uid) ?? h("tr", { "data-uid": row.uid }, this.pick(row));
    const state = JSON.stringify(row) + isArriving(row);
    if (this.drawn.get(row.uid) === state) return line;
    this.lines.set(row.uid, line);
    this.drawn.set(row.uid, state);
    const at = this.columns.findIndex((column) => column.name === "patient");
    const link = line.querySelector<HTMLElement>("td.patient a");
    const focused = document.activeElement === link && link !== null;
    line.replaceChildren(line.firstElementChild!, ...this.columns.map((column) => this.cell(column, row)));
    one<HTMLInputElement>("input", line).setAttribute("aria-label", t("Select {name}", { name: row.cells.patient || t("no name") }));
    if (focused && at >= 0) line.querySelector<HTMLElement>("td.patient a")?.focus({ preventScroll: true });
    return line;
  }

  lineOf(uid: string): HTMLTableRowElement | undefined {
    return this.lines.get(uid);
  }

  private drop(uid: string, line: HTMLElement): void {
    line.remove();
    this.lines.delete(uid);
    this.drawn.delete(uid);
  }

  private pick(row: Row): HTMLElement {
    return h("td", { class: "pick" }, h("input", { type: "checkbox", name: "chosen", value: row.uid }));
  }

  private heading(column: Column, sorted: string, down: boolean): HTMLElement {
    const here = column.order !== "" && column.order === sorted;
    const sort = here ? (down ? "descending" : "ascending") : null;
    const kind = [column.name === "patient" || column.name === "status" ? "" : "wide", column.number ? "num" : ""].join(" ").trim();
    const next = here && !down ? `-${column.order}` : column.order;
    const content = column.order
      ? h("a", { href: `?order=${next}`, "data-order": column.order }, column.label, here && h("i", {}, down ? " ↓" : " ↑"))
      : column.label;
    return h("th", { scope: "col", class: kind, "aria-sort": sort }, content);
  }

  private cell(column: Column, row: Row): HTMLElement {
    if (column.name === "patient") return this.patient(row);
    if (column.name === "status") return h("td", { class: "status" }, statusPill(row));
    if (column.name === "modalities") return h("td", { class: "wide" }, ...modalities(row).flatMap((one) => [one, " "]));
    const text = row.cells[column.name] ?? "";
    return h("td", { class: `wide${column.number ? " num" : ""} c-${column.name}`, title: text.length > 28 ? text : null }, text);
  }

  private patient(row: Row): HTMLElement {
    const name = row.cells.patient || t("no name");
    const href = this.mayOpen ? viewerOf(row.uid) : `/studies/${row.uid}`;
    const second = [row.cells.date, row.cells.modalities, row.cells.description].filter(Boolean).join(" · ");
    const title = `${name} ${row.about}`.length > 26 ? `${name} · ${row.about}` : null;
    return h("td", { class: "patient", title }, h("div", {}, h("a", { href }, name), h("small", {}, row.about)), h("span", { class: "second" }, second));
  }
}
