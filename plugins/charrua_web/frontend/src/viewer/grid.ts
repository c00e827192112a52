/** The grid of cells: its layout, which cell is worked with, one that has all the room for a while. */
import { Cell, type CellEvents } from "./cell";
import { theEngine } from "./engine";
import type { Layout } from "./hanging";

export class Grid {
  readonly cells: Cell[] = [];
  active: Cell;
  layout: Layout = { rows: 1, columns: 1 };
  private maximised: Cell | undefined;

  constructor(
    private readonly element: HTMLElement,
    private readonly events: Omit<CellEvents, "maximised">,
  ) {
    this.active = this.add();
    this.element.append(this.active.element);
    new ResizeObserver(() => this.resized()).observe(element);
  }

  private add(): Cell {
    const cell = new Cell({ ...this.events, maximised: (one) => this.maximise(one) });
    this.cells.push(cell);
    return cell;
  }

  /** The cells that stand in the grid. */
  get inSight(): Cell[] {
    return this.maximised ? [this.maximised] : this.cells.slice(0, this.layout.rows * this.layout.columns);
  }

  setLayout(layout: Layout): void {
    this.layout = layout;
    this.maximised = undefined;
    while (this.cells.length < layout.rows * layout.columns) this.add();
    this.arrange();
  }

  /** Gives a cell all the room, or takes it back. */
  maximise(cell: Cell): void {
    if (this.cells.length === 1) return;
    this.maximised = this.maximised ? undefined : cell;
    this.arrange();
    this.choose(cell);
  }

  get isMaximised(): boolean {
    return this.maximised !== undefined;
  }

  private arrange(): void {
    const { rows, columns } = this.maximised ? { rows: 1, columns: 1 } : this.layout;
    const shown = this.inSight;
    this.element.dataset.layout = `${rows}x${columns}`;
    this.element.replaceChildren(...shown.map((cell) => cell.element));
    if (!this.maximised) this.cells.filter((cell) => !shown.includes(cell)).forEach((cell) => cell.disable());
    if (!shown.includes(this.active) && shown[0]) this.choose(shown[0]);
    this.choose(this.active);
    this.resized();
  }

  choose(cell: Cell): void {
    this.active = cell;
    for (const one of this.cells) one.element.classList.toggle("active", one === cell && this.inSight.length > 1);
  }

  /** Whether resizing waits for the next drawing. */
  private waiting = false;

  private resized(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.inSight.some((cell) => cell.viewport)) theEngine().resize(true, true);
      this.inSight.forEach((cell) => cell.redraw());
    });
  }
}
