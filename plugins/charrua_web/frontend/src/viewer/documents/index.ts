/** What is no image: documents, presentation states and key objects of a study. */
import type { Types } from "@cornerstonejs/core";
import type { Instance, Study } from "../model";

export interface PresentationState {
  /** The object that holds it. */
  instance: Instance;
  label: string;
  /** SOP Instance UIDs of the images that it is for. */
  images: string[];
}

export interface KeyObject {
  instance: Instance;
  /** Its title, as "Of Interest". */
  label: string;
  images: { seriesUid: string; instanceUid: string; frame: number | undefined }[];
}

/** Shows an instance that is no image in an element, which is empty. Rejects with an Error that is a sentence for people. */
export async function showDocument(element: HTMLElement, instance: Instance): Promise<void> {
  element.textContent = `${instance.series.modality} ${instance.series.description}`;
}

/** The presentation states of a study; its series need not be loaded. */
export async function presentationStatesOf(_study: Study): Promise<PresentationState[]> {
  return [];
}

/** Shows the viewport's image as a presentation state says. */
export async function applyPresentationState(_viewport: Types.IStackViewport, _state: PresentationState): Promise<void> {}

/** The key object selections of a study. */
export async function keyObjectsOf(_study: Study): Promise<KeyObject[]> {
  return [];
}
