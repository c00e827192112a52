/** Which study is in hand, and which are selected: by mouse, by keys, many at once with shift. */
import { all, one } from "./dom";
import type { Row } from "./studies_model";
import type { Table } from "./studies_table";

const narrow = matchMedia("(max-width: 1100px)");

export class Selection {
  private hand = "";
  private last = "";

  constructor(
    private readonly table: Table,
    private readonly changed: () => void,
  ) {
    table.element.addEventListener("click", (event) => this.clicked(event));
    table.element.addEventListener("focusin", (event) => this.take(uidOf(event.target)));
    this.everything.addEventListener("change", () => (this.everything.checked ? this.all() : this.clear()));
  }

  chosen(): string[] {
    return all<HTMLInputElement>("tbody input:checked", this.table.element).map((box) => box.value);
  }

  current(): Row | null {
    return this.table.rows.find((row) => row.uid === this.hand) ?? null;
  }

  /** Take the first study in hand, without moving the focus. */
  first(): void {
    this.take(this.table.rows[0]?.uid ?? "", true);
  }

  /** After other rows came: the study in hand stays if it is still there. */
  keep(): void {
    if (!this.current()) this.hand = this.table.rows[0]?.uid ?? "";
    this.mark();
  }

  /** Put the focus on the study in hand. */
  focus(): void {
    if (!this.current()) this.first();
    const link = this.table.lineOf(this.hand)?.querySelector<HTMLElement>("td.patient a");
    link?.focus({ preventScroll: true });
    this.table.lineOf(this.hand)?.scrollIntoView({ block: "nearest" });
  }

  move(by: number): void {
    const at = this.table.rows.findIndex((row) => row.uid === this.hand);
    const inList = one("tbody", this.table.element).contains(document.activeElement);
    const next = this.table.rows[Math.min(Math.max(inList ? at + by : Math.max(at, 0), 0), this.table.rows.length - 1)];
    if (next) this.take(next.uid);
    this.focus();
  }

  toggle(): void {
    const box = this.box(this.hand);
    if (box) box.checked = !box.checked;
    this.last = this.hand;
    this.mark();
  }

  /** Select from where it was selected last to the study in hand. */
  toggleTo(uid = this.hand): void {
    const uids = this.table.rows.map((row) => row.uid);
    const [from, to] = [uids.indexOf(this.last), uids.indexOf(uid)].sort((a, b) => a - b) as [number, number];
    for (const one of uids.slice(Math.max(from, 0), to + 1)) this.box(one)!.checked = true;
    this.last = uid;
    this.mark();
  }

  all(): void {
    for (const box of all<HTMLInputElement>("tbody input", this.table.element)) box.checked = true;
    this.mark();
  }

  clear(): void {
    for (const box of all<HTMLInputElement>("tbody input", this.table.element)) box.checked = false;
    this.mark();
  }

  private get everything(): HTMLInputElement {
    return one<HTMLInputElement>("thead .pick input", this.table.element);
  }

  private box(uid: string): HTMLInputElement | null {
    return this.table.lineOf(uid)?.querySelector<HTMLInputElement>("td.pick input") ?? null;
  }

  private clicked(event: MouseEvent): void {
    const uid = uidOf(event.target);
    const target = event.target as Element;
    if (!uid || target.closest("a")) return;
    const box = target.closest("td.pick") ? this.box(uid) : null;
    if (!box) {
      if (narrow.matches) location.assign(`/studies/${uid}`);
      else this.take(uid);
      return;
    }
    if (target !== box) box.checked = !box.checked;
    if (event.shiftKey && this.last && box.checked) this.toggleTo(uid);
    this.last = uid;
    this.take(uid);
    this.mark();
  }

  private take(uid: string, always = false): void {
    if (!uid && !always) return;
    if (uid === this.hand && !always) return;
    this.hand = uid;
    this.mark();
  }

  private mark(): void {
    const chosen = new Set(this.chosen());
    for (const line of all("tbody tr", this.table.element)) {
      const uid = line.dataset.uid ?? "";
      line.classList.toggle("sel", chosen.has(uid));
      line.classList.toggle("hand", uid === this.hand);
      if (uid === this.hand) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
    this.everything.checked = chosen.size > 0 && chosen.size === this.table.rows.length;
    this.everything.indeterminate = chosen.size > 0 && chosen.size < this.table.rows.length;
    this.changed();
  }
}

function uidOf(target: EventTarget | null): string {
  return (target as Element | null)?.closest<HTMLElement>("tr[data-uid]")?.dataset.uid ?? "";
}
