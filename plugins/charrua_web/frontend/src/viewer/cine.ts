/** Cine: a stack played in a circle, at the rate that it wants or that was chosen. */
import type { Cell } from "./cell";
import { ownRate } from "./stacks";

const USUAL = 15;
const SLOWEST = 1;
const FASTEST = 60;

interface Playing {
  timer: number;
  rate: number;
  busy: boolean;
}

const playing = new Map<Cell, Playing>();
const listeners = new Set<() => void>();

export function whenPlaying(listener: () => void): void {
  listeners.add(listener);
}

export function isPlaying(cell: Cell): boolean {
  return playing.has(cell);
}

/** Frames a second at which a cell plays, or would. */
export function rateOf(cell: Cell): number {
  const own = cell.stack && ownRate(cell.stack);
  return playing.get(cell)?.rate ?? Math.min(Math.max(Math.round(own ?? USUAL), SLOWEST), FASTEST);
}

/** Plays a cell, at another rate where one is given. */
export function play(cell: Cell, rate = rateOf(cell)): void {
  stop(cell);
  const { stack } = cell;
  if (!stack || stack.pictures.length < 2) return;
  const one: Playing = { timer: 0, rate: Math.min(Math.max(rate, SLOWEST), FASTEST), busy: false };
  one.timer = window.setInterval(() => {
    if (cell.stack !== stack) return stop(cell);
    void advance(cell, one);
  }, 1000 / one.rate);
  playing.set(cell, one);
  listeners.forEach((listener) => listener());
}

/** Where an image comes late, the ones after it wait: none is skipped. */
async function advance(cell: Cell, one: Playing): Promise<void> {
  if (one.busy || !cell.stack) return;
  one.busy = true;
  await cell.goTo((cell.index + 1) % cell.stack.pictures.length).catch(() => stop(cell));
  one.busy = false;
}

export function stop(cell: Cell): void {
  clearInterval(playing.get(cell)?.timer);
  if (playing.delete(cell)) listeners.forEach((listener) => listener());
}
