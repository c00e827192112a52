/** Which stretch of which lead stands where on the paper. */
import type { Recording } from "./waveform";

export interface Stretch {
  channel: number;
  name: string;
  /** Second of the recording with which it begins. */
  from: number;
  /** Seconds from the left of the paper. */
  at: number;
  seconds: number;
}

export type Row = Stretch[];

const COLUMNS = [
  ["I", "II", "III"],
  ["aVR", "aVL", "aVF"],
  ["V1", "V2", "V3"],
  ["V4", "V5", "V6"],
];
const RHYTHM = "II";
const COLUMN_S = 2.5;

export function isTwelveLead(recording: Recording): boolean {
  return COLUMNS.flat().every((lead) => recording.channels.some((channel) => channel.lead === lead));
}

/** Three rows of four leads, running on in time, and the rhythm below. */
export function sheetRows(recording: Recording, from: number): Row[] {
  const index = (lead: string): number => recording.channels.findIndex((channel) => channel.lead === lead);
  const rows = [0, 1, 2].map((row) =>
    COLUMNS.map((leads, column): Stretch => {
      const lead = leads[row] as string;
      return { channel: index(lead), name: lead, from: from + column * COLUMN_S, at: column * COLUMN_S, seconds: COLUMN_S };
    }),
  );
  return [...rows, [{ channel: index(RHYTHM), name: RHYTHM, from, at: 0, seconds: COLUMNS.length * COLUMN_S }]];
}

/** Every lead in a row of its own, from the beginning to the end. */
export function stripRows({ channels, length, rate }: Recording): Row[] {
  return channels.map(({ lead, name }, channel) => [{ channel, name: lead || name, from: 0, at: 0, seconds: length / rate }]);
}
