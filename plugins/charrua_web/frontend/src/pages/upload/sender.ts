/** Sends files: small ones many at a time, large ones and ZIP archives in pieces; what breaks off is taken up again. */
import { keyOf, type Found } from "./files";
import type { Journal } from "./journal";
import { Halted, Lost, send } from "./send";

export type Status = "stored" | "there" | "beside" | "skipped" | "refused";

export interface Result {
  status: Status;
  study?: string;
  reason?: string;
}

/** What became of a file, or of one within an archive. */
export interface Row extends Result {
  name: string;
}

/** A large file or archive as the archive tells of it. */
export interface Upload {
  id: string;
  name: string;
  key: string;
  size: number;
  received: number;
  state: "receiving" | "storing" | "done" | "failed";
  files: number;
  error: string;
  results: { numbers?: Partial<Record<Status, number>>; studies?: Record<string, number>; told?: Row[] };
}

interface Item extends Found {
  key: string;
}

const LARGE = 16 << 20;
const PIECE = 8 << 20;
const BATCH_BYTES = 8 << 20;
const BATCH_FILES = 100;
const SIDE_BY_SIDE = 2;
const WAITS_S = [1, 2, 4, 8, 15, 30];

export interface Listener {
  /** Some files are done. */
  results(rows: Row[]): void;
  /** A large file has got so far. */
  upload(upload: Upload): void;
}

/** The uploads of one page. */
export class Sender {
  total = { files: 0, bytes: 0 };
  done = { files: 0, bytes: 0 };
  /** Why nothing is sent though there is something left: a sentence; "" while it goes on. */
  halted = "";
  /** In so many seconds it is tried again, 0 while the archive is reached. */
  waits = 0;
  private small: Item[] = [];
  private large: Item[] = [];
  private flying = new Map<object, number>();
  private running = 0;
  private stopping = new AbortController();

  constructor(
    private readonly journal: Journal,
    private readonly listener: Listener,
  ) {
    window.addEventListener("online", () => this.wake());
  }

  private waiting = new Set<() => void>();

  /** Try again now what waits for the archive. */
  private wake(): void {
    for (const over of [...this.waiting]) over();
  }

  /** Bytes that have left, those on their way among them. */
  get sent(): number {
    let sent = this.done.bytes;
    for (const bytes of this.flying.values()) sent += bytes;
    return sent;
  }

  get busy(): boolean {
    return this.running > 0;
  }

  get left(): boolean {
    return this.small.length + this.large.length > 0 || this.busy;
  }

  /** Send these as well; those that are in the archive since an upload that broke off are done already. */
  add(found: readonly Found[]): void {
    const known: Row[] = [];
    for (const one of found) {
      const item = { ...one, key: keyOf(one) };
      this.total.files += 1;
      this.total.bytes += item.file.size;
      const result = this.journal.of(item.key);
      if (result && result.status !== "refused") {
        known.push({ name: item.path, ...result });
        this.count(item);
      } else if (item.file.size > LARGE || /\.zip$/i.test(item.file.name)) this.large.push(item);
      else this.small.push(item);
    }
    this.journal.begin(this.total.files);
    if (known.length) this.listener.results(known);
    this.goOn();
  }

  /** Go on after a stop. */
  goOn(): void {
    this.halted = "";
    if (this.stopping.signal.aborted) this.stopping = new AbortController();
    for (let n = this.running; n < SIDE_BY_SIDE + 1; n++) void this.work(n === 0);
  }

  /** Stop; what is on its way is sent again later. */
  stop(sentence: string): void {
    this.halted = sentence;
    this.stopping.abort();
    this.wake();
  }

  private async work(largeFirst: boolean): Promise<void> {
    this.running += 1;
    try {
      for (;;) {
        if (this.halted) return;
        const large = largeFirst || !this.small.length ? this.large.shift() : undefined;
        const batch = large ? [large] : this.batch();
        if (!batch.length) return;
        try {
          await (large ? this.pieces(large) : this.together(batch));
        } catch (error) {
          (large ? this.large : this.small).unshift(...batch);
          if (error instanceof Halted) this.stop(error.message);
          else if (!(error instanceof DOMException)) throw error;
          return;
        } finally {
          this.flying.delete(batch);
        }
      }
    } finally {
      this.running -= 1;
    }
  }

  private batch(): Item[] {
    const batch: Item[] = [];
    for (let bytes = 0; this.small.length && batch.length < BATCH_FILES; ) {
      bytes += this.small[0].file.size;
      if (batch.length && bytes > BATCH_BYTES) break;
      batch.push(this.small.shift()!);
    }
    return batch;
  }

  // -- many small files --------------------------------------------------------------------------------------------------
  private async together(batch: Item[]): Promise<void> {
    const readable = await this.readable(batch);
    if (!readable.length) return;
    const answer = await this.patiently(() => {
      const form = new FormData();
      for (const item of readable) form.append("file", item.file, item.path);
      return send("POST", "/uploads/files", form, this.stopping.signal, {
        progress: (sent) => this.flying.set(batch, Math.min(sent, sum(readable))),
      });
    });
    if (answer.status !== 200) return this.refuse(readable, answer.told);
    const told = answer.told.results as Row[];
    this.settle(readable.map((item, at) => [item, { ...told[at], name: item.path }]));
  }

  /** Those that can still be read: who has moved a file meanwhile is told, and the others are sent. */
  private async readable(batch: Item[]): Promise<Item[]> {
    const lost = new Set<Item>();
    await Promise.all(
      batch.map((item) =>
        item.file
          .slice(0, 1)
          .arrayBuffer()
          .catch(() => lost.add(item)),
      ),
    );
    if (lost.size) this.settle([...lost].map((item) => [item, { name: item.path, status: "refused", reason: UNREADABLE }]));
    return batch.filter((item) => !lost.has(item));
  }

  private refuse(items: Item[], told: Record<string, unknown>): void {
    const reason = String(told.detail ?? "");
    this.settle(items.map((item) => [item, { name: item.path, status: "refused", reason }]));
  }

  private settle(done: [Item, Row][]): void {
    for (const [item] of done) this.count(item);
    this.journal.note(done.map(([item, { status, study, reason }]) => [item.key, { status, study, reason }]));
    this.listener.results(done.map(([, row]) => row));
  }

  private count(item: Item): void {
    this.done.files += 1;
    this.done.bytes += item.file.size;
  }

  // -- large ones in pieces ----------------------------------------------------------------------------------------------
  private async pieces(item: Item): Promise<void> {
    const begun = await this.patiently(() => {
      const told = JSON.stringify({ name: item.path, key: item.key, size: item.file.size });
      return send("POST", "/uploads", told, this.stopping.signal, { headers: { "Content-Type": "application/json" } });
    });
    if (begun.status >= 400) return this.refuse([item], begun.told);
    let upload = begun.told as unknown as Upload;
    while (upload.state === "receiving") {
      this.listener.upload(upload);
      const next = await this.piece(item, upload);
      if (!next) return;
      upload = next;
    }
    this.count(item);
    this.listener.upload(upload);
  }

  /** Send the next piece; gives how far it is then, null where somebody has stopped it. */
  private async piece(item: Item, upload: Upload): Promise<Upload | null> {
    const from = upload.received;
    const part = item.file.slice(from, from + PIECE);
    try {
      await part.slice(0, 1).arrayBuffer();
    } catch {
      this.refuse([item], { detail: UNREADABLE });
      return null;
    }
    const path = `/uploads/${upload.id}`;
    const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(from) };
    try {
      const answer = await this.patiently(
        () =>
          send("PUT", path, part, this.stopping.signal, {
            headers,
            progress: (sent) => this.flying.set(item, from + Math.min(sent, part.size)),
          }),
        1,
      );
      if (answer.status === 404) {
        this.refuse([item], answer.told);
        return null;
      }
      if (answer.status === 409) return await this.state(path, upload);
      if (answer.status !== 200) {
        this.refuse([item], answer.told);
        return null;
      }
      return answer.told as unknown as Upload;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      return await this.state(path, upload); // from where the archive has it on disk
    } finally {
      this.flying.delete(item);
    }
  }

  private async state(path: string, upload: Upload): Promise<Upload> {
    const answer = await this.patiently(() => send("GET", path, "", this.stopping.signal));
    return answer.status === 200 ? (answer.told as unknown as Upload) : { ...upload, state: "failed" };
  }

  // -- patience ----------------------------------------------------------------------------------------------------------
  /** Do it again and again while the archive is not reached, at most `times` where that is given. */
  private async patiently<T>(work: () => Promise<T>, times = Infinity): Promise<T> {
    for (let failed = 0; ; failed++) {
      try {
        const result = await work();
        this.waits = 0;
        return result;
      } catch (error) {
        if (!(error instanceof Lost) || failed + 1 >= times) throw error;
        await this.wait(WAITS_S[Math.min(failed, WAITS_S.length - 1)]);
      }
    }
  }

  private wait(seconds: number): Promise<void> {
    this.waits = seconds;
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        this.waiting.delete(over);
        resolve();
      };
      const timer = setTimeout(over, seconds * 1000);
      this.waiting.add(over);
    });
  }
}

/** Translated where it is shown. */
export const UNREADABLE = "The file can no longer be read: it was moved or changed.";

function sum(items: readonly Item[]): number {
  return items.reduce((bytes, item) => bytes + item.file.size, 0);
}
