/** The row of tools and what each does; the keyboard does the same. */
import { t } from "../pages/words";
import { flipAcross, flipOver, invert, reset, rotate } from "./actions";
import { openMenu } from "./ask";
import { isPlaying, play, rateOf, stop, whenPlaying } from "./cine";
import { config } from "./config";
import { isKeyImage, toggleKeyImage } from "./documents/key_pane";
import { byId, make, tell } from "./dom";
import { LAYOUTS } from "./hanging";
import { icon } from "./icons";
import { showKeys } from "./keys";
import { applyPreset, presetsOf } from "./presets";
import { CROSSHAIRS, held, hold, mayHold, TOOLS, whenHeld, type Tool } from "./tools";
import type { Viewer } from "./viewer";

export interface Action {
  id: string;
  label: string;
  key: string;
  icon: string;
  act: (viewer: Viewer, button: HTMLElement) => void;
  /** Whether it is on; of those that are switched. */
  isOn?: (viewer: Viewer) => boolean;
  /** Whether there is such a thing here. */
  isHere?: () => boolean;
}

/** What is done at once, in the order of the row. */
export const ACTIONS: readonly Action[] = [
  { id: "invert", label: t("Invert"), key: "i", icon: "invert", act: ({ grid }) => invert(grid.active) },
  { id: "presets", label: t("Windows by name"), key: "q", icon: "presets", act: choosePreset },
  { id: "rotate", label: t("Turn by 90°"), key: "o", icon: "rotate", act: ({ grid }) => rotate(grid.active) },
  { id: "flip", label: t("Flip left and right"), key: "h", icon: "flip", act: ({ grid }) => flipAcross(grid.active) },
  { id: "flip-over", label: t("Flip top and bottom"), key: "j", icon: "flip-over", act: ({ grid }) => flipOver(grid.active) },
  { id: "cine", label: t("Cine"), key: " ", icon: "play", act: toggleCine, isOn: ({ grid }) => isPlaying(grid.active) },
  { id: "stop", label: t("Stop"), key: "k", icon: "stop", act: ({ grid }) => grid.inSight.forEach(stop) },
  { id: "reset", label: t("Reset the display"), key: "0", icon: "reset", act: ({ grid }) => reset(grid.active) },
  { id: "layout", label: t("Grid"), key: "b", icon: "grid", act: chooseLayout },
  { id: "mpr", label: t("Axial, coronal, sagittal (MPR)"), key: "m", icon: "mpr", act: (viewer) => void viewer.toggleMpr(), isOn: (viewer) => viewer.isReconstructing },
  { id: "linked", label: t("Scroll series together"), key: "y", icon: "link", act: (viewer) => viewer.toggleLinked(), isOn: (viewer) => viewer.isLinked },
  { id: "lines", label: t("Reference lines"), key: "n", icon: "lines", act: (viewer) => viewer.toggleLines(), isOn: (viewer) => viewer.hasLines },
  { id: "text", label: t("Text on the images"), key: "d", icon: "text", act: toggleText, isOn: () => !document.body.classList.contains("bare") },
  { id: "quality", label: t("Lossy pictures"), key: "u", icon: "quality", act: toggleMode, isOn: () => config.mode === "lossy", isHere: () => !config.lossyOnly },
  { id: "key-image", label: t("Key image"), key: "*", icon: "star", act: (viewer) => void toggleKeyImage(viewer), isOn: isKeyImage, isHere: () => config.maySave },
  { id: "list", label: t("Measurements"), key: "c", icon: "list", act: toggleList, isOn: () => !byId("viewer-side").hidden },
  { id: "full", label: t("Full screen"), key: "f", icon: "full", act: toggleFull, isOn: () => document.fullscreenElement !== null },
  { id: "help", label: t("Keys"), key: "?", icon: "help", act: showKeys },
];

/** Keys of actions whose name on the keyboard is not the character. */
const KEY_NAMES: Record<string, string> = { " ": t("Space") };

/** How a key is written. */
export function nameOfKey(key: string): string {
  return KEY_NAMES[key] ?? key.toUpperCase();
}

/** Fills the row, and keeps its buttons in step with the viewer. */
export function fillToolbar(viewer: Viewer): void {
  const row = byId("viewer-tools");
  const held = [...TOOLS, CROSSHAIRS].map((tool) => ({ tool, button: toolButton(tool) }));
  const actions = ACTIONS.filter(({ isHere }) => isHere?.() ?? true).map((action) => ({ action, button: actionButton(action, viewer) }));
  row.append(...held.map(({ button }) => button), make("span", { class: "gap" }), ...actions.map(({ button }) => button));
  const update = (): void => {
    held.forEach(({ tool, button }) => updateTool(button, tool, viewer));
    actions.forEach(({ action, button }) => action.isOn && button.setAttribute("aria-pressed", String(action.isOn(viewer))));
  };
  viewer.whenChanged(update);
  whenHeld(update);
  whenPlaying(update);
  document.addEventListener("fullscreenchange", update);
  row.addEventListener("keydown", (event) => walk(event, row));
  update();
}

function button(id: string, label: string, key: string, picture: string): HTMLButtonElement {
  const title = `${label} (${nameOfKey(key)})`;
  return make("button", { type: "button", id: `tool-${id}`, class: "tool", title, "aria-label": label, "aria-keyshortcuts": nameOfKey(key) }, icon(picture));
}

function toolButton(tool: Tool): HTMLButtonElement {
  const made = button(tool.icon, tool.label, tool.key, tool.icon);
  made.addEventListener("click", () => take(tool));
  return made;
}

function actionButton(action: Action, viewer: Viewer): HTMLButtonElement {
  const made = button(action.id, action.label, action.key, action.icon);
  made.addEventListener("click", () => {
    action.act(viewer, made);
    viewer.changed();
  });
  return made;
}

/** Takes a tool, or tells why it cannot be taken. */
export function take(tool: Tool): void {
  if (mayHold(tool)) return hold(tool.name);
  tell(t("Measuring is off: these are lossy pictures. Switch to lossless images to measure."));
}

function updateTool(made: HTMLButtonElement, tool: Tool, viewer: Viewer): void {
  made.setAttribute("aria-pressed", String(held() === tool.name));
  made.setAttribute("aria-disabled", String(!mayHold(tool)));
  made.hidden = tool === CROSSHAIRS && !viewer.isReconstructing;
}

/** Arrows go along the row. */
function walk(event: KeyboardEvent, row: HTMLElement): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const buttons = [...row.querySelectorAll<HTMLElement>("button:not([hidden])")];
  const at = buttons.indexOf(document.activeElement as HTMLElement);
  buttons[(at + step + buttons.length) % buttons.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}

function choosePreset({ grid }: Viewer, from: HTMLElement): void {
  const choices = presetsOf(grid.active).map((preset) => ({
    label: `${preset.name}  ${Math.round(preset.center)} / ${Math.round(preset.width)}`,
    key: preset.key,
    act: () => applyPreset(grid.active, preset),
  }));
  openMenu(from, choices, t("This image brings no windows."));
}

function chooseLayout(viewer: Viewer, from: HTMLElement): void {
  const { layout } = viewer.grid;
  const choices = LAYOUTS.map((one) => ({
    label: `${one.rows} × ${one.columns}`,
    chosen: one.rows === layout.rows && one.columns === layout.columns,
    act: () => viewer.setLayout(one),
  }));
  openMenu(from, choices, "");
}

function toggleCine({ grid }: Viewer): void {
  const cell = grid.active;
  if (isPlaying(cell)) return stop(cell);
  if ((cell.stack?.pictures.length ?? 0) < 2) return tell(t("There is one image only: nothing to play."));
  play(cell);
  tell(t("{rate} images a second; + and − change it.", { rate: rateOf(cell) }));
}

/** Plays faster or slower. */
export function changeRate({ grid }: Viewer, factor: number): void {
  const cell = grid.active;
  if (!isPlaying(cell)) return;
  const rate = rateOf(cell);
  play(cell, factor > 1 ? Math.max(Math.round(rate * factor), rate + 1) : Math.min(Math.round(rate * factor), rate - 1));
  tell(t("{rate} images a second; + and − change it.", { rate: rateOf(cell) }));
}

function toggleText(): void {
  document.body.classList.toggle("bare");
}

function toggleMode(viewer: Viewer): void {
  void viewer.setMode(config.mode === "lossy" ? "lossless" : "lossy");
}

function toggleList(): void {
  const side = byId("viewer-side");
  side.hidden = !side.hidden;
}

function toggleFull(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.documentElement.requestFullscreen().catch(() => tell(t("This browser has no full screen.")));
}
