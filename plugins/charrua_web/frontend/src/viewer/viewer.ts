/** The viewer: what is shown where, and what follows when somebody moves. */
import { t } from "../pages/words";
import { loadInstances } from "./archive";
import { askText } from "./ask";
import type { Cell } from "./cell";
import { stop } from "./cine";
import { config, type Mode } from "./config";
import { byId, tell } from "./dom";
import { startEngine } from "./engine";
import { Grid } from "./grid";
import { follow } from "./linked";
import { forgetImages } from "./loader";
import { watchMeasurements } from "./measurements";
import type { Measurement, Series, Study } from "./model";
import { Mpr, whyNot } from "./mpr";
import { narrow, stackAt, type Opening } from "./opening";
import { count, Prefetcher } from "./prefetch";
import { stacksOf, type Stack } from "./stacks";
import { isOther, Strip } from "./strip";
import { asks, CROSSHAIRS, held, hold, mayHold, showReferenceLines, TOOLS } from "./tools";

export class Viewer {
  readonly studies: Study[];
  readonly grid: Grid;
  readonly strip: Strip;
  /** Whether cells scroll together; whether lines show where they cut each other. */
  isLinked = false;
  hasLines = false;
  private readonly prefetcher: Prefetcher;
  private readonly listeners = new Set<() => void>();
  private mpr: Mpr | undefined;
  private before = "";

  constructor(opening: Opening) {
    startEngine();
    watchMeasurements();
    asks.text = (current) => askText(t("Text"), current);
    this.studies = opening.studies;
    this.strip = new Strip(byId("viewer-strip"), { chosen: (key) => void this.showKey(key) });
    this.grid = new Grid(byId("viewer-grid"), {
      moved: (cell) => this.moved(cell),
      chosen: (cell) => this.choose(cell),
      dropped: (cell, key) => void this.showKey(key, cell),
    });
    this.prefetcher = new Prefetcher(() => this.inOrder(), (stack) => this.progress(stack));
    this.strip.fill(this.studies);
    if (this.studies.some((study) => isOther(study, this.studies))) tell(t("The studies are of different patients."));
  }

  /** Calls the listener whenever what is shown, or how, has changed. */
  whenChanged(listener: () => void): void {
    this.listeners.add(listener);
  }

  changed(): void {
    const { grid, strip } = this;
    strip.mark(grid.inSight.map((cell) => cell.stack), grid.active.stack);
    this.listeners.forEach((listener) => listener());
  }

  /** Shows what the study opens with: the first image before all others. */
  async begin({ hanging }: Opening): Promise<void> {
    this.grid.setLayout(hanging.layout);
    const [first, ...others] = hanging.places.map((place, at) => async () => {
      const cell = this.grid.cells[at];
      if (place && cell) await this.showAt(cell, () => stackAt(place));
      else await cell?.show(undefined);
    });
    await first?.();
    this.strip.showThumbnails();
    await Promise.all(others.map((show) => show()));
    this.changed();
    this.prefetcher.wake();
    void this.readTheRest();
  }

  /** The series that are not shown: so that the strip tells all stacks. */
  private async readTheRest(): Promise<void> {
    for (const study of this.studies) {
      for (const series of study.series) await this.read(series).catch(() => undefined);
    }
    this.changed();
  }

  private async read(series: Series): Promise<void> {
    await loadInstances(series);
    this.strip.setStacks(series, stacksOf(series));
    this.strip.showThumbnails();
  }

  private async showAt(cell: Cell, find: () => Promise<{ stack: Stack; index: number } | undefined>): Promise<void> {
    try {
      const found = await find();
      if (found) this.strip.setStacks(found.stack.series, stacksOf(found.stack.series));
      await cell.show(found?.stack, found?.index);
    } catch (error) {
      cell.say(error instanceof Error ? error.message : String(error));
    }
    if (cell.stack) this.progress(cell.stack);
    this.changed();
    this.prefetcher.wake();
  }

  /** Shows the series or stack of a key of the strip, in the cell that is worked with. */
  async showKey(key: string, cell = this.grid.active): Promise<void> {
    this.closeMpr();
    stop(cell);
    const series = this.studies.flatMap((study) => study.series).find(({ uid }) => key === uid || key.startsWith(`${uid} `));
    if (!series) return;
    this.grid.choose(cell);
    await this.showAt(cell, async () => {
      await loadInstances(series);
      const stack = stacksOf(series).find((one) => one.key === key);
      return stack ? { stack, index: 0 } : stackAt({ series });
    });
  }

  /** The next or previous stack of the strip. */
  async step(by: 1 | -1): Promise<void> {
    const keys = this.strip.keys();
    const { stack } = this.grid.active;
    const at = keys.findIndex((key) => key === stack?.key || key === stack?.series.uid);
    const key = keys[at + by];
    if (key) await this.showKey(key);
  }

  /** Shows the image of a measurement. */
  async jump({ seriesUid, instanceUid, frame }: Measurement | { seriesUid: string; instanceUid: string; frame: number }): Promise<void> {
    const series = this.studies.flatMap((study) => study.series).find(({ uid }) => uid === seriesUid);
    if (!series) return tell(t("Its series is not among those that are open."));
    await loadInstances(series);
    const found = stacksOf(series).flatMap((stack) => {
      const index = stack.pictures.findIndex((one) => one.instance.uid === instanceUid && one.frame === frame);
      return index < 0 ? [] : [{ stack, index }];
    })[0];
    if (!found) return tell(t("Its image is not among those that are open."));
    this.closeMpr();
    const there = this.grid.inSight.find((cell) => cell.stack === found.stack);
    if (!there) return this.showAt(this.grid.active, () => Promise.resolve(found));
    this.choose(there);
    await there.goTo(found.index);
  }

  private choose(cell: Cell): void {
    if (this.grid.active === cell) return;
    this.grid.choose(cell);
    if (this.hasLines) showReferenceLines(cell.id);
    this.changed();
    this.prefetcher.wake();
  }

  private moved(cell: Cell): void {
    if (this.isLinked && cell === this.grid.active) void follow(cell, this.grid.inSight);
    this.prefetcher.wake();
  }

  private progress(stack: Stack): void {
    this.strip.progress(stack);
    if (stack === this.grid.active.stack) count(stack);
  }

  /** The cells in sight, the one that is worked with first. */
  private inOrder(): Cell[] {
    const { active, inSight } = this.grid;
    return [active, ...inSight.filter((cell) => cell !== active)];
  }

  setLayout(layout: Grid["layout"]): void {
    this.closeMpr();
    const shown = this.grid.inSight.map((cell) => cell.stack);
    this.grid.setLayout(layout);
    void this.fillEmpty(shown);
  }

  /** Cells that came into sight show the stacks that are next in the strip. */
  private async fillEmpty(before: (Stack | undefined)[]): Promise<void> {
    const taken = new Set([...before, ...this.grid.inSight.map((cell) => cell.stack)].map((stack) => stack?.key));
    const free = this.studies.flatMap((study) => study.series).flatMap(stacksOf).filter(({ key, document }) => !taken.has(key) && !document);
    for (const cell of this.grid.inSight) {
      const stack = cell.stack ?? free.shift();
      if (!cell.viewport) await cell.show(stack, cell.stack ? cell.index : 0);
    }
    this.changed();
    this.prefetcher.wake();
  }

  toggleLinked(): void {
    this.isLinked = !this.isLinked;
    if (this.isLinked) void follow(this.grid.active, this.grid.inSight);
    this.changed();
  }

  toggleLines(): void {
    this.hasLines = !this.hasLines;
    showReferenceLines(this.hasLines ? this.grid.active.id : undefined);
    this.changed();
  }

  get isReconstructing(): boolean {
    return this.mpr !== undefined;
  }

  async toggleMpr(): Promise<void> {
    if (this.mpr) return this.closeMpr();
    const { stack } = this.grid.active;
    const reason = whyNot(stack);
    if (reason || !stack) return tell(reason);
    this.grid.inSight.forEach(stop);
    this.before = held();
    this.mpr = new Mpr();
    byId("viewer-grid").before(this.mpr.element);
    byId("viewer-grid").hidden = true;
    this.changed();
    try {
      await this.mpr.show(stack);
    } catch (error) {
      this.closeMpr();
      tell(t("The series could not be reconstructed: {reason}", { reason: error instanceof Error ? error.message : "" }));
    }
    this.changed();
  }

  private closeMpr(): void {
    if (!this.mpr) return;
    this.mpr.close();
    this.mpr = undefined;
    byId("viewer-grid").hidden = false;
    hold(this.before === CROSSHAIRS.name ? (TOOLS[0]?.name ?? "") : this.before);
    this.changed();
  }

  /** Shows all images anew, as they are stored or as pictures. */
  async setMode(mode: Mode): Promise<void> {
    this.closeMpr();
    config.mode = mode;
    const inHand = TOOLS.find(({ name }) => name === held());
    if (inHand && !mayHold(inHand)) hold(TOOLS[0]?.name ?? "");
    forgetImages();
    this.prefetcher.reset();
    for (const cell of this.inOrder()) {
      cell.disable();
      await cell.show(cell.stack, cell.index);
    }
    if (mode === "lossy") tell(t("Pictures are lossy now: measuring is off."));
    this.changed();
    this.prefetcher.wake();
  }

  /** Closes what is open; false where nothing was. */
  closeSomething(): boolean {
    if (this.mpr) this.closeMpr();
    else if (this.grid.isMaximised && !narrow.matches) this.grid.maximise(this.grid.active);
    else return false;
    return true;
  }
}
