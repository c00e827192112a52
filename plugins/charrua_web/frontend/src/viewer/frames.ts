/** Frames from the server: as they are stored where the browser can decode that, else in a form that it can. */
import { config } from "./config";
import { counters } from "./counters";
import { number, text } from "./dataset";
import { pathOf } from "./model";
import { pictured } from "./modules";
import type { Picture } from "./stacks";

export interface FrameBytes {
  bytes: Uint8Array;
  /** The transfer syntax that they are in. */
  syntax: string;
}

/** The server has no frame in a form that an image can be made of. */
export class NoFrame extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export const EXPLICIT = "1.2.840.10008.1.2.1";
export const BASELINE = "1.2.840.10008.1.2.4.50";
const HTJ2K = "1.2.840.10008.1.2.4.201";
const NATIVE = new Set(["1.2.840.10008.1.2", EXPLICIT]);
const MEDIA: Record<string, string> = { [EXPLICIT]: "application/octet-stream", [HTJ2K]: "image/jphc" };

/**
 * What Cornerstone decodes without error. Extended JPEG (.51) is not among them: its decoder gives other values than the
 * standard's, so the server decodes it.
 */
const DECODED = new Set([
  ...NATIVE,
  "1.2.840.10008.1.2.5",
  BASELINE,
  ...["57", "70", "80", "81", "90", "91", "201", "202", "203", "110", "112"].map((end) => `1.2.840.10008.1.2.4.${end}`),
]);

/** Colour that Cornerstone decodes without error, where the frame is compressed. */
const DECODED_COLOURS = new Set(["RGB", "YBR_RCT", "YBR_ICT"]);
/** Colour that browsers decode, where the frame is a baseline JPEG. */
export const BROWSER_COLOURS = new Set(["YBR_FULL", "YBR_FULL_422"]);

const AS_STORED = "image/*; transfer-syntax=*, application/octet-stream; transfer-syntax=*";
/** Below this many bytes a second, frames that are not compressed are asked for in HTJ2K. */
const SLOW = 2_500_000;

/** By series: the form in which its frames are asked for, where it is not as they are stored. */
const asked = new Map<string, string>();
let speed = Infinity;

/** The bytes of one frame. Rejects with NoFrame, or as fetch does. */
export async function fetchFrame(picture: Picture, signal?: AbortSignal): Promise<FrameBytes> {
  const key = picture.instance.series.uid;
  const wanted = asked.get(key) || config.transferSyntax;
  const frame = await request(picture, accept(wanted), signal);
  if (DECODED.has(frame.syntax) || wanted === EXPLICIT) {
    if (!wanted && NATIVE.has(frame.syntax) && speed < SLOW) asked.set(key, HTJ2K);
    return frame;
  }
  asked.set(key, EXPLICIT);
  return request(picture, accept(EXPLICIT), signal);
}

/** From now on this series' frames are asked for uncompressed: the browser fails to decode them as they are. */
export function decodeAtServer(picture: Picture): boolean {
  const key = picture.instance.series.uid;
  if (asked.get(key) === EXPLICIT) return false;
  asked.set(key, EXPLICIT);
  return true;
}

function accept(syntax: string): string {
  if (!syntax) return AS_STORED;
  const media = MEDIA[syntax];
  return media ? `${media}; transfer-syntax=${syntax}` : `image/*; transfer-syntax=${syntax}, ${AS_STORED}`;
}

async function request({ instance, frame }: Picture, accepts: string, signal?: AbortSignal): Promise<FrameBytes> {
  const began = performance.now();
  const answer = await fetch(`${pathOf(instance)}/frames/${frame}`, {
    headers: { Accept: accepts },
    ...(signal && { signal }),
  });
  if (!answer.ok) throw new NoFrame(await reasonOf(answer), answer.status);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  note(bytes.length, performance.now() - began);
  const syntax = /transfer-syntax="?([\d.]+)/.exec(answer.headers.get("Content-Type") ?? "")?.[1] ?? EXPLICIT;
  return { bytes, syntax };
}

/** What the server says of its refusal, as problem details of RFC 9457. */
async function reasonOf(answer: Response): Promise<string> {
  const told = (await answer.json().catch(() => ({}))) as { detail?: string; title?: string };
  return told.detail || told.title || `the server answered ${answer.status}`;
}

function note(bytes: number, milliseconds: number): void {
  counters.requests += 1;
  counters.bytes += bytes;
  if (bytes < 50_000) return; // the time of small ones says nothing of the line
  const now = (bytes * 1000) / Math.max(milliseconds, 1);
  speed = speed === Infinity ? now : 0.7 * speed + 0.3 * now;
}

/** A frame as a picture that the server makes: PNG without loss, or JPEG. */
export async function fetchPicture({ instance, frame }: Picture, lossy: boolean): Promise<ImageBitmap> {
  const type = lossy ? "image/jpeg" : "image/png";
  const answer = await fetch(`${pathOf(instance)}/frames/${frame}/rendered`, { headers: { Accept: type } });
  if (!answer.ok) throw new NoFrame(await reasonOf(answer), answer.status);
  const blob = await answer.blob();
  counters.requests += 1;
  counters.bytes += blob.size;
  return createImageBitmap(blob, { colorSpaceConversion: "none" });
}

/** Whether an image is had as a picture: because of the mode, or because no decoder here knows what is stored. */
export function asPicture({ id, instance }: Picture): boolean {
  if (config.mode === "lossy" || pictured.has(id)) return true;
  const { data } = instance;
  const bits = number(data, "00280100") ?? 8;
  const colours = text(data, "00280004");
  if ((number(data, "00280002") ?? 1) === 1) return bits < 8 || bits > 16 || colours === "PALETTE COLOR";
  return bits > 8 || !(DECODED_COLOURS.has(colours) || BROWSER_COLOURS.has(colours));
}

/** Frames on their way that nobody has decoded yet. */
export const early = new Map<string, Promise<FrameBytes>>();

/** Asks for a frame before Cornerstone is there to decode it. */
export function fetchEarly(picture: Picture): void {
  if (asPicture(picture)) return;
  const promise = fetchFrame(picture);
  promise.catch(() => undefined); // told when the image is loaded
  early.set(picture.id, promise);
}
