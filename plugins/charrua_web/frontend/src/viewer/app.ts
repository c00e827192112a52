/** The viewer with Cornerstone: loaded beside the first image. */
import { imageLoader, type Types } from "@cornerstonejs/core";
import { drawsOnCpu } from "./engine";
import { NoFrame } from "./frames";
import { listenToKeys } from "./keys";
import { currentMeasurements } from "./measurements";
import type { Opening } from "./opening";
import { fillSide, readDocuments } from "./side";
import { SCHEME } from "./stacks";
import { fillToolbar } from "./toolbar";
import { Viewer } from "./viewer";

/** An image as it is drawn, for tests that hold its values against what is stored. */
function image(instanceUid: string, frame: number): Promise<Types.IImage> {
  return imageLoader.loadAndCacheImage(`${SCHEME}:${instanceUid}/${frame}`, { useRGBA: drawsOnCpu() } as never);
}

/** What a viewport could not show stands in its cell already; Cornerstone's cache leaves its own promise of it to nobody. */
function hushWhatIsShown(): void {
  addEventListener("unhandledrejection", (event) => {
    if (event.reason instanceof NoFrame) event.preventDefault();
  });
}

/** Shows what the page opens with. */
export async function run(opening: Opening): Promise<void> {
  hushWhatIsShown();
  const viewer = new Viewer(opening);
  fillToolbar(viewer);
  fillSide(viewer);
  listenToKeys(viewer);
  Object.assign(window.charruaViewer, { viewer, measurements: currentMeasurements, image });
  await viewer.begin(opening);
  await readDocuments(viewer);
}
