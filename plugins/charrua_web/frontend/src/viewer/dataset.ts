/** Data sets in the DICOM JSON model (PS3.18 F), as the metadata of WADO-RS gives them: elements by tag, `"00280010"`. */

export interface Element {
  vr: string;
  Value?: unknown[];
  BulkDataURI?: string;
  InlineBinary?: string;
}

export type Dataset = Record<string, Element>;

/** All values of an element; none where it is empty or absent. */
export function values(data: Dataset, tag: string): unknown[] {
  return data[tag]?.Value ?? [];
}

/** The first value as text, "" where there is none. A person's name as family, given. */
export function text(data: Dataset, tag: string): string {
  return asText(values(data, tag)[0]);
}

function asText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return readableName(String((value as { Alphabetic?: string }).Alphabetic ?? ""));
  return String(value);
}

/** `Pérez^Ana^María` as `Pérez, Ana María`. */
export function readableName(name: string): string {
  const [family = "", ...given] = name.split("^").map((part) => part.trim());
  return [family, given.slice(0, 2).filter(Boolean).join(" ")].filter(Boolean).join(", ");
}

/** All values that are text. */
export function texts(data: Dataset, tag: string): string[] {
  return values(data, tag).map(asText);
}

/** The first value as a number, undefined where there is none that is one. */
export function number(data: Dataset, tag: string): number | undefined {
  return numbers(data, tag)[0];
}

/** All values that are numbers. */
export function numbers(data: Dataset, tag: string): number[] {
  return values(data, tag)
    .filter((value) => value !== null && value !== "")
    .map(Number)
    .filter(Number.isFinite);
}

/** The items of a sequence. */
export function items(data: Dataset, tag: string): Dataset[] {
  return values(data, tag).filter((item): item is Dataset => typeof item === "object" && item !== null);
}
