/** Waveforms (PS3.3 C.10.9): the channels of a multiplex group, their samples fetched once and read as values. */
import { t } from "../../pages/words";
import { items, number, text, type Dataset } from "../dataset";
import { pathOf, type Instance } from "../model";

export interface Channel {
  name: string;
  /** The standard lead that it is, "" for any other. */
  lead: string;
  /** Millivolts at a sample, NaN where there is none. */
  at: (sample: number) => number;
}

export interface Recording {
  label: string;
  /** Samples a second. */
  rate: number;
  /** Samples of each channel. */
  length: number;
  channels: Channel[];
  /** Low and high corner and notch of the filters in Hz, where all channels say the same. */
  filters: string;
}

const SEQUENCE = "54000100";
const DATA = "54001010";
/** More than this is left to the server's page: the samples would not fit beside images. */
const MOST_BYTES = 256 << 20;
const VOLTS: Record<string, number> = { V: 1e3, mV: 1, uV: 1e-3, nV: 1e-6 };
const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const READERS: Record<string, (view: DataView, at: number) => number> = {
  SB8: (view, at) => view.getInt8(at),
  UB8: (view, at) => view.getUint8(at),
  SS16: (view, at) => view.getInt16(at, true),
  US16: (view, at) => view.getUint16(at, true),
  SL32: (view, at) => view.getInt32(at, true),
  UL32: (view, at) => view.getUint32(at, true),
};

/** The multiplex groups of an instance that are voltages; null where the server has to draw them: they are something else,
 * too long, or not for whoever looks. */
export async function recordingsOf(instance: Instance): Promise<Recording[] | null> {
  const groups = items(instance.data, SEQUENCE);
  const size = groups.reduce((sum, group) => sum + bytesOf(group), 0);
  if (!groups.length || size > MOST_BYTES || !groups.every(isReadable)) return null;
  const samples = await Promise.all(groups.map((group, at) => samplesOf(instance, group, at)));
  return samples.includes(null) ? null : groups.map((group, at) => recordingOf(group, samples[at] as DataView));
}

function isReadable(group: Dataset): boolean {
  const channels = items(group, "003A0200");
  const isKnown = kindOf(group) in READERS && (number(group, "003A001A") ?? 0) > 0;
  return isKnown && channels.length > 0 && channels.every((channel) => millivolts(channel) !== undefined);
}

function kindOf(group: Dataset): string {
  return `${text(group, "54001006")}${number(group, "54001004") ?? 0}`;
}

function bytesOf(group: Dataset): number {
  return (number(group, "003A0010") ?? 0) * items(group, "003A0200").length * ((number(group, "54001004") ?? 16) / 8);
}

async function samplesOf(instance: Instance, group: Dataset, at: number): Promise<DataView | null> {
  const inline = group[DATA]?.InlineBinary;
  if (inline !== undefined) return new DataView(Uint8Array.from(atob(inline), (one) => one.charCodeAt(0)).buffer);
  const path = `${pathOf(instance)}/bulkdata/${SEQUENCE}/${at}/${DATA}`;
  const address = group[DATA]?.BulkDataURI?.replace(/^.*(?=\/studies\/)/, "/dicom-web") ?? path;
  const answer = await fetch(address, { headers: { Accept: "application/octet-stream" } });
  return answer.ok ? new DataView(await answer.arrayBuffer()) : null;
}

function recordingOf(group: Dataset, view: DataView): Recording {
  const definitions = items(group, "003A0200");
  const size = (number(group, "54001004") ?? 16) / 8;
  const read = READERS[kindOf(group)] as (view: DataView, at: number) => number;
  const length = Math.min(number(group, "003A0010") ?? 0, Math.floor(view.byteLength / size / definitions.length));
  const padding = paddingOf(group, read);
  const channels = definitions.map((definition, at): Channel => {
    const [scale, baseline] = [millivolts(definition) ?? 1, (number(definition, "003A0213") ?? 0) * (unit(definition) ?? 1)];
    const value = (sample: number): number => {
      const raw = read(view, (sample * definitions.length + at) * size);
      return raw === padding ? NaN : raw * scale + baseline;
    };
    const name = nameOf(definition);
    return { name: name || t("Channel {number}", { number: at + 1 }), lead: leadOf(name), at: value };
  });
  return { label: text(group, "003A0020"), rate: number(group, "003A001A") ?? 1, length, channels, filters: filtersOf(definitions) };
}

function paddingOf(group: Dataset, read: (view: DataView, at: number) => number): number | undefined {
  const inline = group["5400100A"]?.InlineBinary;
  if (!inline) return undefined;
  const bytes = Uint8Array.from(atob(inline), (one) => one.charCodeAt(0));
  return bytes.length >= (number(group, "54001004") ?? 16) / 8 ? read(new DataView(bytes.buffer), 0) : undefined;
}

function unit(channel: Dataset): number | undefined {
  return VOLTS[text(items(channel, "003A0211")[0] ?? {}, "00080100")];
}

/** What one step of a sample is in millivolts, undefined where it is no voltage. */
function millivolts(channel: Dataset): number | undefined {
  const [volts, sensitivity] = [unit(channel), number(channel, "003A0210")];
  return volts === undefined || sensitivity === undefined ? undefined : sensitivity * (number(channel, "003A0212") ?? 1) * volts;
}

function nameOf(channel: Dataset): string {
  const source = items(channel, "003A0208")[0] ?? {};
  return text(channel, "003A0203") || text(source, "00080104");
}

/** `Lead aVR (Einthoven)` is aVR. */
function leadOf(name: string): string {
  const found = /(?:^|[^A-Za-z0-9])(?:lead[ _]?)?(aV[RLF]|V[1-6]|I{1,3})(?![A-Za-z0-9])/i.exec(name)?.[1] ?? "";
  return LEADS.find((lead) => lead.toLowerCase() === found.toLowerCase()) ?? "";
}

function filtersOf(channels: Dataset[]): string {
  const told = new Set(channels.map((one) => [number(one, "003A0220"), number(one, "003A0221"), number(one, "003A0222")].join()));
  const [low, high, notch] = told.size === 1 ? ([...told][0] as string).split(",") : [];
  const band = low && high ? `${low}–${high} Hz` : "";
  return [band, notch && Number(notch) ? t("notch {hertz} Hz", { hertz: notch }) : ""].filter(Boolean).join(" · ");
}

/** What the device says of the recording as a whole: its interpretation, its measurements (PS3.3 C.10.10). */
export function statementsOf({ data }: Instance): string[] {
  const whole = items(data, "0040B020").filter((one) => !one["0040A132"]);
  return whole.map(statement).filter(Boolean).slice(0, 60);
}

function statement(annotation: Dataset): string {
  const concept = text(items(annotation, "0040A043")[0] ?? {}, "00080104");
  const coded = text(items(annotation, "0040A168")[0] ?? {}, "00080104");
  const value = text(annotation, "0040A30A");
  const units = text(items(annotation, "004008EA")[0] ?? {}, "00080100").replace("{H.B.}/min", "bpm").replace("deg", "°").replace(/^1$/, "");
  const said = text(annotation, "00700006") || coded || [value, units].filter(Boolean).join(" ");
  return said && concept ? `${concept}: ${said}` : said;
}
