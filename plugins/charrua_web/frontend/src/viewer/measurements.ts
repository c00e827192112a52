/** The measurements on the images that are open. */
import type { Measurement } from "./model";

/** What has been measured, in the order in which it was. */
export function currentMeasurements(): Measurement[] {
  return [];
}

/** Puts measurements on the images that they belong to; those with the `id` of one that is there are left out. */
export function restoreMeasurements(_list: Measurement[]): void {}
