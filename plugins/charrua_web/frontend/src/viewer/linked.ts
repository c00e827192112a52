/** Scrolling together: cells whose images lie in the same frame of reference and look the same way. */
import type { Cell } from "./cell";
import { text } from "./dataset";
import { frameData } from "./functional";
import { depth, isParallel, planeOf, type Plane } from "./geometry";
import type { Picture } from "./stacks";

const FRAME_OF_REFERENCE = "00200052";
/** Farther than this many mm from the place, no image is near enough to be gone to. */
const FARTHEST = 20;

let following = false;

/** Lets the others go to the images nearest to the one that a cell shows. */
export async function follow(leader: Cell, others: Cell[]): Promise<void> {
  if (following) return;
  const at = leader.picture && placeOf(leader.picture);
  if (!at) return;
  following = true;
  try {
    await Promise.all(others.filter((cell) => cell !== leader).map((cell) => cell.goTo(nearest(cell, at))));
  } finally {
    following = false;
  }
}

interface Place {
  frame: string;
  plane: Plane;
}

function placeOf({ instance, frame }: Picture): Place | undefined {
  const data = frameData(instance, frame);
  const plane = planeOf(data);
  return plane && { frame: text(data, FRAME_OF_REFERENCE), plane };
}

/** The index of the image of a cell that is nearest, the shown one where there is none near. */
function nearest(cell: Cell, { frame, plane }: Place): number {
  let [best, least] = [cell.index, FARTHEST];
  for (const [index, picture] of (cell.stack?.pictures ?? []).entries()) {
    const other = placeOf(picture);
    if (!other || other.frame !== frame || !isParallel(plane, other.plane)) continue;
    const distance = Math.abs(depth(other.plane) - depth(plane));
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}
