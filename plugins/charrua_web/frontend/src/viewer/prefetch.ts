/** Images loaded before they are looked at: of the stacks in sight, those next to the shown one first. */
import { cache, imageLoader } from "@cornerstonejs/core";
import type { Cell } from "./cell";
import { counters, mark } from "./counters";
import { drawsOnCpu, memory } from "./engine";
import { isPicture } from "./loader";
import type { Picture, Stack } from "./stacks";

/** Browsers hold six connections to a server over HTTP/1.1; the image that is asked for now finds one free. */
const AT_ONCE = 5;
/** Of the memory for images, what is filled before anybody asked. */
const SHARE = 0.7;
/** Images before the shown one for each three after it in the direction of scrolling. */
const BACKWARDS = 3;

export class Prefetcher {
  private running = 0;
  private readonly failed = new Set<string>();
  private readonly pending = new Set<string>();

  /** `cells` gives those in sight, the one that is worked with first; `told` hears of every image that is there. */
  constructor(
    private readonly cells: () => Cell[],
    private readonly told: (stack: Stack) => void,
  ) {}

  /** Goes on: what is in sight, or where in it, has changed. */
  wake(): void {
    while (this.running < AT_ONCE) {
      const next = this.next();
      if (!next) return;
      void this.load(next.picture, next.stack);
    }
  }

  private next(): { picture: Picture; stack: Stack } | undefined {
    const cells = this.cells().filter((cell) => cell.stack?.pictures.length);
    if (!cells.every((cell) => this.isThere(cell.picture) || this.failed.has(cell.picture?.id ?? ""))) return undefined;
    for (const cell of cells) {
      const stack = cell.stack as Stack;
      const most = this.mostOf(cell, cells.length);
      let looked = 0;
      for (const picture of outwards(stack.pictures, cell.index, cell.direction)) {
        if (++looked > most) break;
        if (!this.isThere(picture) && !this.failed.has(picture.id) && !this.pending.has(picture.id)) return { picture, stack };
      }
    }
    return undefined;
  }

  /** How many images of a stack may be kept, beside those of the other stacks. */
  private mostOf(cell: Cell, among: number): number {
    const image = cell.picture && cache.getImage(cell.picture.id);
    const bytes = image?.sizeInBytes ?? 1 << 20;
    return Math.max(Math.floor((memory() * SHARE) / among / bytes), 3);
  }

  private isThere(picture: Picture | undefined): boolean {
    return picture !== undefined && cache.getImage(picture.id) !== undefined;
  }

  private async load(picture: Picture, stack: Stack): Promise<void> {
    this.running += 1;
    this.pending.add(picture.id);
    try {
      await imageLoader.loadAndCacheImage(picture.id, { priority: 0, requestType: "prefetch", useRGBA: drawsOnCpu() } as never);
    } catch {
      this.failed.add(picture.id);
    } finally {
      this.pending.delete(picture.id);
      this.running -= 1;
      this.told(stack);
      this.wake();
    }
  }

  /** Tries again what had failed: in another mode. */
  reset(): void {
    this.failed.clear();
  }
}

/** The images of a stack from one on: ahead of it three for each one behind. */
export function* outwards(pictures: Picture[], from: number, direction: 1 | -1): Generator<Picture> {
  let [ahead, behind, turn] = [from, from - direction, 0];
  const isInside = (index: number): boolean => index >= 0 && index < pictures.length;
  while (isInside(ahead) || isInside(behind)) {
    const back = !isInside(ahead) || (isInside(behind) && turn++ % (BACKWARDS + 1) === BACKWARDS);
    const index = back ? behind : ahead;
    yield pictures[index] as Picture;
    if (back) behind -= direction;
    else ahead += direction;
  }
}

/** How many images of a stack are here. */
export function loadedOf(stack: Stack): number {
  return stack.pictures.reduce((count, { id }) => count + Number(cache.getImage(id) !== undefined), 0);
}

/** Notes for who measures how far the stack that is looked at is. */
export function count(stack: Stack): void {
  counters.total = stack.pictures.length;
  counters.loaded = loadedOf(stack);
  counters.pictures = stack.pictures.filter(({ id }) => isPicture(id)).length;
  if (counters.loaded === counters.total) mark("all-images");
}
