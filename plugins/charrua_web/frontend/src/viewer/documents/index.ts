/** What is no image: documents, presentation states and key objects of a study. */
import "../../style/documents.css";

export { showDocument } from "./show";
export { applyPresentationState, presentationStatesOf, type PresentationState } from "./presentation";
export { keyObjectsOf, type KeyObject } from "./key_objects";
