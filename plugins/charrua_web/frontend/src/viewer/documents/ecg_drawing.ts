/** Millimetre paper and curves on a canvas, dark for a dark room. */
import type { Row, Stretch } from "./ecg_rows";
import type { Recording } from "./waveform";

/** Millimetres left of the curves, for the pulse of 1 mV, and right of them. */
export const PAPER = { left: 12, right: 4 };

export interface Scale {
  /** mm a second. */
  speed: number;
  /** mm a millivolt. */
  gain: number;
  /** CSS pixels a mm. */
  mm: number;
}

interface Place {
  /** The zero line. */
  middle: number;
  /** CSS pixels by which the paper is scrolled. */
  scrolled: number;
  width: number;
}

const COLOURS = { paper: "#0b0e11", thin: "#251a1d", strong: "#4a2a30", curve: "#e6edf3", words: "#7cc4ff" };

/** Rules the paper: lines each millimetre, stronger ones each 5 mm. */
export function drawPaper(context: CanvasRenderingContext2D, { width, height, scrolled, mm }: { width: number; height: number; scrolled: number; mm: number }): void {
  context.fillStyle = COLOURS.paper;
  context.fillRect(0, 0, width, height);
  for (const [step, colour] of [[1, COLOURS.thin], [5, COLOURS.strong]] as const) {
    context.beginPath();
    const distance = step * mm;
    for (let x = -(scrolled % distance); x <= width; x += distance) line(context, x, 0, x, height);
    for (let y = 0; y <= height; y += distance) line(context, 0, y, width, y);
    context.strokeStyle = colour;
    context.lineWidth = step === 1 ? 0.5 : 1;
    context.stroke();
  }
}

function line(context: CanvasRenderingContext2D, x: number, y: number, toX: number, toY: number): void {
  context.moveTo(x, y);
  context.lineTo(toX, toY);
}

/** Draws a row: the pulse, and each stretch with the name of its lead. */
export function drawRow(context: CanvasRenderingContext2D, recording: Recording, row: Row, scale: Scale, place: Place): void {
  drawPulse(context, scale, place);
  for (const stretch of row) {
    context.save();
    clip(context, stretch, scale, place);
    drawCurve(context, recording, stretch, scale, place);
    context.restore();
    drawName(context, stretch, scale, place);
  }
}

function left(stretch: Stretch, { speed, mm }: Scale, { scrolled }: Place): number {
  return (PAPER.left + stretch.at * speed) * mm - scrolled;
}

function clip(context: CanvasRenderingContext2D, stretch: Stretch, scale: Scale, place: Place): void {
  context.beginPath();
  context.rect(left(stretch, scale, place), 0, stretch.seconds * scale.speed * scale.mm, 1e5);
  context.clip();
}

/** The curve as far as it is in sight: of many samples in one pixel the lowest and the highest. */
function drawCurve(context: CanvasRenderingContext2D, recording: Recording, stretch: Stretch, scale: Scale, place: Place): void {
  const channel = recording.channels[stretch.channel];
  if (!channel) return;
  const x0 = left(stretch, scale, place);
  const perSample = (scale.speed * scale.mm) / recording.rate;
  const start = Math.round(stretch.from * recording.rate);
  const end = Math.min(recording.length, Math.ceil((stretch.from + stretch.seconds) * recording.rate) + 1);
  const first = Math.max(start, start + Math.floor(-x0 / perSample) - 1);
  const last = Math.min(end, start + Math.ceil((place.width - x0) / perSample) + 2);
  const step = Math.max(1, Math.floor(0.5 / perSample));
  context.beginPath();
  let isDown = false;
  for (let sample = first; sample < last; sample += step) {
    for (const value of extremes(channel.at, sample, Math.min(last, sample + step))) {
      const [x, y] = [x0 + (sample - start) * perSample, place.middle - value * scale.gain * scale.mm];
      if (Number.isNaN(value)) isDown = false;
      else if (isDown) context.lineTo(x, y);
      else context.moveTo(x, y);
      isDown = !Number.isNaN(value);
    }
  }
  context.strokeStyle = COLOURS.curve;
  context.lineWidth = 1.3;
  context.lineJoin = "round";
  context.stroke();
}

function extremes(at: (sample: number) => number, from: number, to: number): number[] {
  if (to - from <= 1) return [at(from)];
  let [low, high, lowAt, highAt] = [Infinity, -Infinity, from, from];
  for (let sample = from; sample < to; sample++) {
    const value = at(sample);
    if (value < low) [low, lowAt] = [value, sample];
    if (value > high) [high, highAt] = [value, sample];
  }
  if (low === Infinity) return [NaN];
  return lowAt <= highAt ? [low, high] : [high, low];
}

function drawName(context: CanvasRenderingContext2D, stretch: Stretch, scale: Scale, place: Place): void {
  // Of a lead that began left of what is in sight, the name stays in sight.
  const x = Math.max(left(stretch, scale, place), 0) + 4;
  context.fillStyle = COLOURS.words;
  context.font = "600 13px Inter, sans-serif";
  context.fillText(stretch.name, x, place.middle - 8 * scale.mm);
}

/** 1 mV for 0.2 s, before the curve. */
function drawPulse(context: CanvasRenderingContext2D, { speed, gain, mm }: Scale, { middle, scrolled }: Place): void {
  const width = Math.min(0.2 * speed, PAPER.left - 3) * mm;
  const x = 1 * mm - scrolled;
  let [atX, atY] = [x, middle];
  context.beginPath();
  context.moveTo(atX, atY);
  for (const [dx, dy] of [[mm, 0], [0, -gain * mm], [width, 0], [0, gain * mm], [mm, 0]] as const) {
    [atX, atY] = [atX + dx, atY + dy];
    context.lineTo(atX, atY);
  }
  context.strokeStyle = COLOURS.curve;
  context.lineWidth = 1;
  context.stroke();
}
