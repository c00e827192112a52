/** Windows that are chosen by name: those of the image, and those of the ward for CT. */
import { utilities } from "@cornerstonejs/core";
import { t } from "../pages/words";
import type { Cell } from "./cell";
import { frameData } from "./functional";
import { isPicture } from "./loader";
import { windowsOf } from "./modules";

export interface Preset {
  name: string;
  center: number;
  width: number;
  key: string;
}

const OF_CT: readonly [string, number, number][] = [
  [t("Soft tissue"), 40, 400],
  [t("Lung"), -600, 1500],
  [t("Bone"), 480, 2500],
  [t("Brain"), 40, 80],
  [t("Liver"), 60, 160],
  [t("Mediastinum"), 50, 350],
  [t("Angiography"), 300, 600],
  [t("Stroke"), 32, 8],
  [t("Temporal bone"), 600, 2800],
];

/** The presets of what a cell shows; the first nine by the keys 1 to 9. */
export function presetsOf(cell: Cell): Preset[] {
  const { picture } = cell;
  if (!picture || isPicture(picture.id)) return [];
  const own = windowsOf(frameData(picture.instance, picture.frame)).map((window, at) => ({
    ...window,
    name: window.name || (at ? t("Window {number}", { number: at + 1 }) : t("As stored")),
    key: "",
  }));
  const isCt = picture.instance.series.modality === "CT";
  const ofWard = isCt ? OF_CT.map(([name, center, width]) => ({ name, center, width, key: "" })) : [];
  const byKey = isCt ? ofWard : own;
  byKey.slice(0, 9).forEach((preset, at) => (preset.key = String(at + 1)));
  return [...own, ...ofWard];
}

/** Shows a cell in a window. */
export function applyPreset(cell: Cell, { center, width }: Preset): void {
  const { viewport } = cell;
  viewport?.setProperties({ voiRange: utilities.windowLevel.toLowHighRange(width, center) });
  viewport?.render();
}
