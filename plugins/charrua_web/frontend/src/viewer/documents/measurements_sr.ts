/** Measurements as DICOM SR. */
import type { Measurement, Study } from "../model";

/** Stores measurements in the study as a report. Rejects with an Error that is a sentence for people. */
export async function saveMeasurements(_study: Study, _measurements: Measurement[]): Promise<void> {}

/** The measurements that reports of the study hold, for `restoreMeasurements`. */
export async function savedMeasurementsOf(_study: Study): Promise<Measurement[]> {
  return [];
}
