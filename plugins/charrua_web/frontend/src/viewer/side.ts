/** The pane at the right: measurements, key images, presentation states. */
import { t } from "../pages/words";
import { config } from "./config";
import { applyPresentationState, presentationStatesOf, type PresentationState } from "./documents";
import { readKeyImages } from "./documents/key_pane";
import { linkReports } from "./documents/report_links";
import { hasSaved, savedMeasurementsOf, saveMeasurements } from "./documents/measurements_sr";
import { byId, make, tell } from "./dom";
import { currentMeasurements, listItems, removeAllMeasurements, restoreMeasurements, whenDrawn, whenMeasured } from "./measurements";
import { loadInstances } from "./archive";
import { stacksOf } from "./stacks";
import type { Measurement, Study } from "./model";
import type { Viewer } from "./viewer";

/** Fills the pane; what documents bring comes when they were read. */
export function fillSide(viewer: Viewer): void {
  whenMeasured(() => showMeasurements(viewer));
  whenDrawn(() => openOnce(viewer));
  showMeasurements(viewer);
  byId("measured-clear").addEventListener("click", removeAllMeasurements);
  const save = byId<HTMLButtonElement>("measured-save");
  save.hidden = !config.maySave;
  save.addEventListener("click", () => void saveAll(viewer, save));
}

/** Reads what the study's documents say of its images. */
export async function readDocuments(viewer: Viewer): Promise<void> {
  void linkReports(viewer);
  for (const study of viewer.studies) {
    const [states, saved] = await Promise.all([
      presentationStatesOf(study).catch(() => []),
      savedMeasurementsOf(study).catch(() => []),
    ]);
    states.forEach((state) => addStateButton(viewer, state));
    await readKeyImages(viewer, study);
    if (saved.length) addSaved(viewer, study, saved);
  }
}

function showMeasurements(viewer: Viewer): void {
  const items = listItems((measurement) => void viewer.jump(measurement));
  byId("measured").replaceChildren(...items);
  byId("measured-none").hidden = items.length > 0;
  byId("measured-acts").hidden = items.length === 0 && !viewer.studies.some(hasSaved);
}

/** Opens the pane for the first measurement, where there is room; who closes it again has closed it. */
function openOnce(viewer: Viewer): void {
  const side = byId("viewer-side");
  if (side.dataset.opened !== undefined || !matchMedia("(min-width: 900px)").matches) return;
  side.dataset.opened = "";
  side.hidden = false;
  viewer.changed();
}

async function saveAll(viewer: Viewer, button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  try {
    for (const study of viewer.studies) {
      const own = currentMeasurements().filter(({ studyUid }) => studyUid === study.uid);
      if (own.length || hasSaved(study)) await saveMeasurements(study, own);
    }
    tell(t("The measurements are saved in the study."));
  } catch (error) {
    tell(error instanceof Error ? error.message : t("The measurements could not be saved."));
  } finally {
    button.disabled = false;
  }
}

function section(id: string): HTMLElement {
  const found = byId(id);
  (found.parentElement as HTMLElement).hidden = false;
  return found;
}

function entry(text: string, act: () => void): HTMLLIElement {
  const button = make("button", { class: "go", type: "button" }, text);
  button.addEventListener("click", act);
  return make("li", {}, button);
}

function addStateButton(viewer: Viewer, state: PresentationState): void {
  section("presentations").append(entry(state.label, () => void showState(viewer, state)));
}

/** Shows an image that the state is for, and it under the state. */
async function showState(viewer: Viewer, state: PresentationState): Promise<void> {
  const cell = viewer.grid.active;
  if (!state.images.includes(cell.picture?.instance.uid ?? "")) {
    const all = viewer.studies.flatMap((study) => study.series).flatMap((series) => series.instances);
    const image = all.find(({ uid }) => state.images.includes(uid));
    if (image) await viewer.jump({ seriesUid: image.series.uid, instanceUid: image.uid, frame: 1 });
  }
  const { viewport } = viewer.grid.active;
  if (viewport) await applyPresentationState(viewport, state).catch((error: Error) => tell(error.message));
}

function addSaved(viewer: Viewer, study: Study, saved: Measurement[]): void {
  const list = section("saved-measurements");
  const label = t("Show {count} saved measurements", { count: saved.length });
  list.append(entry(label, () => void restore(viewer, study, saved)));
}

/** Their images have to be known before they can be put on them. */
async function restore(viewer: Viewer, study: Study, saved: Measurement[]): Promise<void> {
  const wanted = new Set(saved.map(({ seriesUid }) => seriesUid));
  const series = study.series.filter(({ uid }) => wanted.has(uid));
  await Promise.allSettled(series.map(async (one) => stacksOf((await loadInstances(one), one))));
  restoreMeasurements(saved);
  if (saved[0]) await viewer.jump(saved[0]);
}
