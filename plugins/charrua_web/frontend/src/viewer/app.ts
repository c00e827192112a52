/** The viewer with Cornerstone: loaded beside the first image. */
import { listenToKeys } from "./keys";
import { currentMeasurements } from "./measurements";
import type { Opening } from "./opening";
import { fillSide, readDocuments } from "./side";
import { fillToolbar } from "./toolbar";
import { Viewer } from "./viewer";

/** Shows what the page opens with. */
export async function run(opening: Opening): Promise<void> {
  const viewer = new Viewer(opening);
  fillToolbar(viewer);
  fillSide(viewer);
  listenToKeys(viewer);
  Object.assign(window.charruaViewer, { viewer, measurements: currentMeasurements });
  await viewer.begin(opening);
  await readDocuments(viewer);
}
