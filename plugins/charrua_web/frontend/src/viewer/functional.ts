/** What the functional groups of an enhanced object say of each frame (PS3.3 C.7.6.16), as one flat data set. */
import { items, number, numbers, type Dataset } from "./dataset";
import type { Instance } from "./model";

const SHARED = "52009229";
const PER_FRAME = "52009230";
const DETECTORS = "00540022";
const POSITION = "00200032";
const SPACING_OF_FRAMES = ["00180088", "00180050"];
const GRID_FRAME_OFFSETS = "3004000C";

const kept = new WeakMap<Instance, Map<number, Dataset>>();

/** The instance's data set with what its functional groups say of the frame (from 1) in place of sequences of sequences. */
export function frameData(instance: Instance, frame: number): Dataset {
  let frames = kept.get(instance);
  if (!frames) kept.set(instance, (frames = new Map()));
  let found = frames.get(frame);
  if (!found) frames.set(frame, (found = flattened(instance, frame)));
  return found;
}

function flattened(instance: Instance, frame: number): Dataset {
  const { data } = instance;
  if (instance.frames === 1 && !data[SHARED] && !data[PER_FRAME]) return data;
  const groups = [items(data, SHARED)[0], items(data, PER_FRAME)[frame - 1]].filter((group) => group !== undefined);
  const own = groups.flatMap((group) => Object.keys(group).flatMap((tag) => items(group, tag).slice(0, 1)));
  return { ...data, ...detector(data), ...offset(data, frame), ...Object.assign({}, ...own) };
}

/** Of nuclear medicine: where its first detector stood, and each slice of a volume beside the one before (C.8.4.15). */
function detector(data: Dataset): Dataset {
  const { [POSITION]: position, "00200037": orientation } = items(data, DETECTORS)[0] ?? {};
  return { ...(position && { [POSITION]: position }), ...(orientation && { "00200037": orientation }) };
}

/** The position of a frame that is told by its distance from the first alone: dose grids, volumes of nuclear medicine. */
function offset(data: Dataset, frame: number): Dataset {
  const at = { ...data, ...detector(data) };
  const [position, orientation] = [numbers(at, POSITION), numbers(at, "00200037")];
  const offsets = numbers(data, GRID_FRAME_OFFSETS);
  const isVolume = offsets.length > 1 || (data[DETECTORS] && data["00540080"]);
  if (position.length !== 3 || orientation.length !== 6 || !isVolume) return {};
  const step = SPACING_OF_FRAMES.map((tag) => number(data, tag)).find((value) => value) ?? 1;
  const distance = offsets.length > 1 ? (offsets[frame - 1] ?? 0) - (offsets[0] ?? 0) : step * (frame - 1);
  const [x1, y1, z1, x2, y2, z2] = orientation as [number, number, number, number, number, number];
  const normal = [y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2];
  return { [POSITION]: { vr: "DS", Value: position.map((value, axis) => value + distance * (normal[axis] ?? 0)) } };
}
