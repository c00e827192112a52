/** Colours of PS3.3 C.10.7.1.1: CIELab in 16 bits, and grey as P-values, as CSS has them. */
import { number, numbers, type Dataset } from "../dataset";

const PLAIN = "#ffd05c";

/** The colour that a layer recommends, one that is seen on any image where it recommends none. */
export function colourOf(layer: Dataset): string {
  return fromLab(numbers(layer, "00700401")) ?? grey(number(layer, "00700066")) ?? PLAIN;
}

/** The colour of a shutter: black where nothing is told. */
export function shutterColourOf(data: Dataset): string {
  return fromLab(numbers(data, "00181624")) ?? grey(number(data, "00181622")) ?? "#000";
}

/** A P-value, which the eye sees in even steps. */
function grey(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  const level = Math.round((Math.min(Math.max(value, 0), 0xffff) / 0xffff) * 255);
  return `rgb(${level} ${level} ${level})`;
}

function fromLab([l, a, b]: number[]): string | undefined {
  if (l === undefined || a === undefined || b === undefined) return undefined;
  const around = (value: number): number => ((value - 0x8080) / 0x7f7f) * 127;
  return `lab(${((l / 0xffff) * 100).toFixed(2)}% ${around(a).toFixed(2)} ${around(b).toFixed(2)})`;
}
