/** What of an unfinished upload is in the archive already, kept in the browser: after a reload it is not sent again. */
import type { Result } from "./sender";

const DATABASE = "charrua-upload";
const FILES = "files";
const ABOUT = "about";

export interface About {
  began: string;
  files: number;
}

/** The journal of one user. Where the browser keeps nothing, it is empty, and everything is sent again. */
export class Journal {
  private readonly known = new Map<string, Result>();
  private about: About | null = null;
  private opened: IDBDatabase | null = null;

  private constructor(private readonly user: string) {}

  static async of(user: string): Promise<Journal> {
    const journal = new Journal(user);
    try {
      journal.opened = await open();
      await journal.read();
    } catch {
      journal.opened = null;
    }
    return journal;
  }

  /** The upload that was broken off, null where there is none. */
  get unfinished(): (About & { done: number }) | null {
    return this.about && { ...this.about, done: this.known.size };
  }

  /** What became of a file in the upload that was broken off. */
  of(key: string): Result | undefined {
    return this.known.get(key);
  }

  /** Note that so many files are to be sent. */
  begin(files: number): void {
    this.about = { began: this.about?.began ?? new Date().toISOString(), files: Math.max(files, this.about?.files ?? 0) };
    this.write((about) => about.put(this.about, this.user), ABOUT);
  }

  /** Note what became of files. */
  note(results: readonly [string, Result][]): void {
    for (const [key, result] of results) this.known.set(key, result);
    this.write((files) => results.forEach(([key, result]) => files.put(result, [this.user, key])), FILES);
  }

  /** Forget it: the upload is done, or is not to be taken up again. */
  clear(): void {
    this.about = null;
    this.known.clear();
    this.write((about) => about.delete(this.user), ABOUT);
    this.write((files) => files.delete(this.range()), FILES);
  }

  private range(): IDBKeyRange {
    return IDBKeyRange.bound([this.user], [this.user, []]);
  }

  private async read(): Promise<void> {
    const within = this.opened!.transaction([FILES, ABOUT]);
    this.about = (await answer(within.objectStore(ABOUT).get(this.user))) ?? null;
    const [keys, results] = await Promise.all([
      answer(within.objectStore(FILES).getAllKeys(this.range())),
      answer(within.objectStore(FILES).getAll(this.range())),
    ]);
    keys.forEach((key, at) => this.known.set((key as string[])[1], results[at] as Result));
  }

  private write(work: (store: IDBObjectStore) => void, store: string): void {
    try {
      if (this.opened) work(this.opened.transaction(store, "readwrite").objectStore(store));
    } catch {
      this.opened = null; // the disk is full, or the browser forgets on purpose: then it is sent again after a reload
    }
  }
}

function open(): Promise<IDBDatabase> {
  const asked = indexedDB.open(DATABASE, 1);
  asked.onupgradeneeded = () => [FILES, ABOUT].forEach((name) => asked.result.createObjectStore(name));
  return answer(asked);
}

function answer<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}
