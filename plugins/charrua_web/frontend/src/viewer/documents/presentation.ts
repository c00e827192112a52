/** Presentation states (PS3.3 A.33): how somebody wanted images to be seen. Cornerstone shows what it can; what it cannot,
 * a look-up table say, the server draws. */
import { Enums, metaData, type Types } from "@cornerstonejs/core";
import { t } from "../../pages/words";
import { loadInstances } from "../archive";
import { items, number, text, texts, type Dataset } from "../dataset";
import type { Instance, Study } from "../model";
import { showArea } from "./displayed_area";
import { StateLayer } from "./state_layer";

export interface PresentationState {
  /** The object that holds it. */
  instance: Instance;
  label: string;
  /** SOP Instance UIDs of the images that it is for. */
  images: string[];
}

const GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1";
const STATES = new Set([GRAYSCALE, "1.2.840.10008.5.1.4.1.1.11.2", "1.2.840.10008.5.1.4.1.1.11.3"]);
const FUNCTIONS: Record<string, Enums.VOILUTFunctionType> = {
  SIGMOID: Enums.VOILUTFunctionType.SAMPLED_SIGMOID,
  LINEAR_EXACT: Enums.VOILUTFunctionType.LINEAR_EXACT,
};

/** The presentation states of a study; its series need not be loaded. */
export async function presentationStatesOf(study: Study): Promise<PresentationState[]> {
  const series = study.series.filter(({ modality }) => modality === "PR");
  const loaded = await Promise.all(series.map((one) => loadInstances(one).catch((): Instance[] => [])));
  return loaded.flat().filter(({ sopClass }) => STATES.has(sopClass)).map(stateOf);
}

function stateOf(instance: Instance): PresentationState {
  const { data } = instance;
  const label = text(data, "00700081") || text(data, "00700080") || instance.series.description || t("Presentation");
  return { instance, label, images: referencesOf(data).map((one) => text(one, "00081155")) };
}

function referencesOf(data: Dataset): Dataset[] {
  return items(data, "00081115").flatMap((series) => items(series, "00081140"));
}

/** Shows the viewport's image as a presentation state says. Rejects with an Error that is a sentence for people. */
export async function applyPresentationState(viewport: Types.IStackViewport, state: PresentationState): Promise<void> {
  const uid = uidOf(viewport);
  if (!state.images.includes(uid)) throw new Error(t("The presentation “{label}” is for other images.", { label: state.label }));
  const { data } = state.instance;
  viewport.resetCamera();
  viewport.resetProperties();
  if (isForServer(data)) {
    await StateLayer.on(viewport).showPicture(state, uid);
    return;
  }
  showGrey(viewport, itemsFor(data, "00283110", uid)[0], data);
  // The state turns, then flips; the viewport flips, then turns.
  const rotation = isFlipped(data) ? (360 - rotationOf(data)) % 360 : rotationOf(data);
  viewport.setViewPresentation({ rotation, flipHorizontal: isFlipped(data) } as Types.ViewPresentation);
  showArea(viewport, itemsFor(data, "0070005A", uid)[0], rotationOf(data));
  StateLayer.on(viewport).show(state, uid, itemsFor(data, "00700001", uid));
  viewport.render();
}

/** SOP Instance UID of the image that a viewport shows. */
export function uidOf(viewport: Types.IStackViewport): string {
  const common = metaData.get("sopCommonModule", viewport.getCurrentImageId()) as { sopInstanceUID?: string } | undefined;
  return common?.sopInstanceUID ?? /charrua:([^/]+)/.exec(viewport.getCurrentImageId())?.[1] ?? "";
}

/** The items of a sequence that are about an image: those that name it, and those that name none. */
export function itemsFor(data: Dataset, tag: string, uid: string): Dataset[] {
  return items(data, tag).filter((item) => {
    const named = items(item, "00081140");
    return !named.length || named.some((one) => text(one, "00081155") === uid);
  });
}

/** Whether the state has what only the server can show: tables of grey levels, bitmaps, colours for grey. */
function isForServer(data: Dataset): boolean {
  const isTabled = items(data, "00283110").some((item) => items(item, "00283010").length);
  const hasOverlay = Object.keys(data).some((tag) => /^60..3000$/.test(tag)) || texts(data, "00181600").includes("BITMAP");
  const isGrey = text(data, "00080016") === GRAYSCALE;
  return isTabled || hasOverlay || !isGrey || items(data, "20500010").length > 0 || items(data, "00283000").length > 0;
}

/** Window and polarity: an inverse presentation LUT turns grey levels around. */
function showGrey(viewport: Types.IStackViewport, voi: Dataset | undefined, data: Dataset): void {
  const isInverse = text(data, "20500020") === "INVERSE";
  const inverted = (viewport.getProperties().invert ?? false) !== isInverse;
  const [center, width] = voi ? [number(voi, "00281050"), number(voi, "00281051")] : [];
  if (center === undefined || width === undefined) return viewport.setProperties({ invert: inverted });
  const named = voi ? text(voi, "00281056") : "";
  const exact = named === "LINEAR_EXACT" || named === "SIGMOID";
  // LINEAR: center - 0.5 is the middle of width - 1 (PS3.3 C.11.2.1.2.1).
  const [middle, half] = exact ? [center, width / 2] : [center - 0.5, (width - 1) / 2];
  viewport.setProperties({
    voiRange: { lower: middle - half, upper: middle + half },
    VOILUTFunction: FUNCTIONS[named] ?? Enums.VOILUTFunctionType.LINEAR,
    invert: inverted,
  });
}

export function rotationOf(data: Dataset): number {
  return number(data, "00700042") ?? 0;
}

export function isFlipped(data: Dataset): boolean {
  return text(data, "00700041") === "Y";
}

