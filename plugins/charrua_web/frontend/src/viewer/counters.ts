/** What a measurement of the viewer's speed reads: marks of the browser's timeline and numbers on `window`. */

export interface Counters {
  /** Requests for frames that were answered, and the bytes that came. */
  requests: number;
  bytes: number;
  /** Images decoded. */
  decoded: number;
  /** Of the stack that is looked at: how many images it has, and how many of them are here. */
  total: number;
  loaded: number;
  /** Of these, how many are pictures made by the server. */
  pictures: number;
  /** Images drawn. */
  rendered: number;
  failed: number;
}

export const counters: Counters = { requests: 0, bytes: 0, decoded: 0, total: 0, loaded: 0, pictures: 0, rendered: 0, failed: 0 };

declare global {
  interface Window {
    charruaViewer: Counters & Record<string, unknown>;
  }
}

window.charruaViewer = counters as Counters & Record<string, unknown>;

const marked = new Set<string>();

/** Sets `charrua:<name>` on the timeline, the first time. */
export function mark(name: "first-image" | "all-images"): void {
  if (marked.has(name)) return;
  marked.add(name);
  performance.mark(`charrua:${name}`);
}
