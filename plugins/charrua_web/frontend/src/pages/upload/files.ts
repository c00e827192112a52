/** The files that somebody has chosen or dropped, folders looked through to the end. */

export interface Found {
  file: File;
  /** Where it is within what was chosen. */
  path: string;
}

const AT_ONCE = 250;

/** Those of a file input, which gives a folder as all that is in it. */
export async function* chosen(files: FileList | null): AsyncGenerator<Found[]> {
  for (let from = 0; files && from < files.length; from += AT_ONCE) {
    const some: Found[] = [];
    for (let at = from; at < Math.min(from + AT_ONCE, files.length); at++) {
      const file = files[at]!;
      some.push({ file, path: file.webkitRelativePath || file.name });
    }
    yield some;
  }
}

/** The same by some at a time. */
export async function* some(found: readonly Found[]): AsyncGenerator<Found[]> {
  for (let from = 0; from < found.length; from += AT_ONCE) yield found.slice(from, from + AT_ONCE);
}

/** Let the page answer to people before more is done. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Those that were dropped; `tell` learns how many are found so far. */
export async function dropped(transfer: DataTransfer, tell: (found: number) => void): Promise<Found[]> {
  // All entries at once: the list is empty as soon as the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (entries.every((entry) => entry === null)) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found: Found[] = [];
  for (const entry of entries) if (entry) await look(entry, found, tell);
  return found;
}

async function look(entry: FileSystemEntry, found: Found[], tell: (found: number) => void): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    if (found.length % 200 === 0) tell(found.length);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A folder gives its entries by the hundred, and none when there are no more.
  for (let some = await entriesOf(reader); some.length; some = await entriesOf(reader)) {
    for (const one of some) await look(one, found, tell);
  }
}

function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** What a file is known by when it is chosen again: letters and digits that tell nothing of its name. */
export function keyOf(found: Found): string {
  const text = `${found.path}|${found.file.size}|${found.file.lastModified}`;
  return [1, 2, 3].map((seed) => hash(text, seed)).join("");
}

/** 53 bits of a text, evenly spread (after MurmurHash3's mixing); no secret hangs on it. */
function hash(text: string, seed: number): string {
  let one = 0xdeadbeef ^ seed;
  let other = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    one = Math.imul(one ^ code, 2654435761);
    other = Math.imul(other ^ code, 1597334677);
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(other ^ (other >>> 13), 3266489909);
  other = Math.imul(other ^ (other >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
  return (4294967296 * (2097151 & other) + (one >>> 0)).toString(36).padStart(11, "0");
}
