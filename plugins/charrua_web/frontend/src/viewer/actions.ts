/** What is done to the image that is worked with, at once. */
import type { Types } from "@cornerstonejs/core";
import type { Cell } from "./cell";

function change(cell: Cell, act: (viewport: Types.IStackViewport) => void): void {
  const { viewport } = cell;
  if (!viewport) return;
  act(viewport);
  viewport.render();
  cell.redraw();
}

/** Black becomes white. */
export function invert(cell: Cell): void {
  change(cell, (viewport) => viewport.setProperties({ invert: !viewport.getProperties().invert }));
}

/** Turns clockwise by a quarter. */
export function rotate(cell: Cell): void {
  change(cell, (viewport) => {
    const { rotation = 0 } = viewport.getViewPresentation();
    viewport.setViewPresentation({ rotation: (rotation + 90) % 360 });
  });
}

/** Left becomes right. */
export function flipAcross(cell: Cell): void {
  change(cell, (viewport) => viewport.setCamera({ flipHorizontal: !viewport.getCamera().flipHorizontal }));
}

/** Top becomes bottom. */
export function flipOver(cell: Cell): void {
  change(cell, (viewport) => viewport.setCamera({ flipVertical: !viewport.getCamera().flipVertical }));
}

/** Shows the image as it was at first: window, zoom, place, turn. Measurements stay. */
export function reset(cell: Cell): void {
  change(cell, (viewport) => {
    viewport.setCamera({ flipHorizontal: false, flipVertical: false });
    viewport.setViewPresentation({ rotation: 0 });
    viewport.resetProperties();
    viewport.resetCamera();
  });
}

/** Larger or smaller by a factor. */
export function zoomBy(cell: Cell, factor: number): void {
  change(cell, (viewport) => viewport.setZoom(viewport.getZoom() * factor));
}
