/** What follows an action: told at the foot of the page with a way back, remembered for `u`, and known to the page. */
import { call, Problem, sentenceOf } from "./api";
import { toast } from "./toast";
import { t } from "./words";

const KEPT = `charrua.done.${document.body.dataset.user ?? ""}`;
const MOST_KEPT = 20;

interface Done {
  what: string;
  edits: string[];
}

/** The event by which a page that lists studies hears that some have changed. */
export const CHANGED = "studies-changed";

/** Tell what was done, with Undo where there are edits to take back. */
export function tellDone(what: string, edits: readonly string[], uids: readonly string[]): void {
  announce(uids);
  if (!edits.length) return toast(what);
  const done = { what, edits: [...edits] };
  remember([...remembered(), done].slice(-MOST_KEPT));
  toast(what, { undo: () => takeBack(done) });
}

/** Take back what this person did last in this window. */
export async function undoLast(): Promise<void> {
  const last = remembered().at(-1);
  if (!last) return toast(t("There is nothing to undo: what was done before stands in the history of its study."));
  try {
    await takeBack(last);
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
}

async function takeBack(done: Done): Promise<void> {
  try {
    await call("POST", "/actions/undo", { edits: done.edits });
  } catch (error) {
    // Who answered that it cannot be undone will answer so again; who did not answer may do so later.
    if (error instanceof Problem && error.status > 0) forget(done);
    throw error;
  }
  forget(done);
  announce([]);
  toast(t("Undone: {what}", { what: done.what }));
}

/** Let the page know that studies have changed. */
export function announce(uids: readonly string[]): void {
  document.dispatchEvent(new CustomEvent(CHANGED, { detail: { uids } }));
}

function remembered(): Done[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(kept) ? (kept as Done[]) : [];
  } catch {
    return [];
  }
}

function remember(done: readonly Done[]): void {
  sessionStorage.setItem(KEPT, JSON.stringify(done));
}

function forget(done: Done): void {
  remember(remembered().filter((one) => one.edits.join() !== done.edits.join()));
}
