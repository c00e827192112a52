/** The keyboard of the viewer. */
import { t } from "../pages/words";
import { zoomBy } from "./actions";
import { showDialog } from "./ask";
import { isPlaying } from "./cine";
import { config } from "./config";
import { make } from "./dom";
import { removeSelected } from "./measurements";
import { applyPreset, presetsOf } from "./presets";
import { ACTIONS, changeRate, nameOfKey, take } from "./toolbar";
import { CROSSHAIRS, TOOLS } from "./tools";
import type { Viewer } from "./viewer";

interface Key {
  keys: readonly string[];
  /** What the map says, and how it writes the keys; "" where another line tells it. */
  told: string;
  written: string;
  act: (viewer: Viewer) => void;
}

const by = (images: number) => (viewer: Viewer): void => {
  const cell = viewer.grid.active;
  void cell.goTo(cell.index + images);
};

const KEYS: readonly Key[] = [
  { keys: ["ArrowDown", "ArrowRight"], told: t("Next image"), written: "↓ →", act: by(1) },
  { keys: ["ArrowUp", "ArrowLeft"], told: t("Previous image"), written: "↑ ←", act: by(-1) },
  { keys: ["PageDown"], told: t("Ten images on"), written: "Page ↓", act: by(10) },
  { keys: ["PageUp"], told: t("Ten images back"), written: "Page ↑", act: by(-10) },
  { keys: ["Home"], told: t("First image"), written: "Home", act: by(-1e9) },
  { keys: ["End"], told: t("Last image"), written: "End", act: by(1e9) },
  { keys: ["]", "."], told: t("Next series"), written: "] .", act: (viewer) => void viewer.step(1) },
  { keys: ["[", ","], told: t("Previous series"), written: "[ ,", act: (viewer) => void viewer.step(-1) },
  { keys: ["+", "="], told: t("Larger; while playing: faster"), written: "+", act: (viewer) => larger(viewer, 1.25) },
  { keys: ["-"], told: t("Smaller; while playing: slower"), written: "−", act: (viewer) => larger(viewer, 0.8) },
  { keys: ["Enter"], told: t("One image in all the room, and back"), written: "Enter", act: ({ grid }) => grid.maximise(grid.active) },
  { keys: ["Delete"], told: t("Delete the selected measurement, else the last"), written: "Delete", act: removeSelected },
  { keys: ["Escape"], told: t("Close what is open, else back to the list"), written: "Esc", act: closeOrBack },
  { keys: ["Backspace"], told: t("Back to the list"), written: "⌫", act: back },
];

function larger(viewer: Viewer, factor: number): void {
  if (isPlaying(viewer.grid.active)) changeRate(viewer, factor);
  else zoomBy(viewer.grid.active, factor);
}

function closeOrBack(viewer: Viewer): void {
  if (!viewer.closeSomething()) back();
}

function back(): void {
  if (config.back) location.assign(config.back);
}

/** Listens to the keyboard. */
export function listenToKeys(viewer: Viewer): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const act = actionOf(viewer, event.key);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function isTyping({ target, key }: KeyboardEvent): boolean {
  const element = target as HTMLElement;
  if (element.closest("dialog, [popover], textarea, select, input:not([type=range])")) return true;
  if (element.closest("[contenteditable], .document") && key !== "Escape") return true;
  return element.matches("button, a") && (key === "Enter" || key === " ");
}

function actionOf(viewer: Viewer, pressed: string): (() => void) | undefined {
  const key = pressed.length === 1 ? pressed.toLowerCase() : pressed;
  const tool = [...TOOLS, ...(viewer.isReconstructing ? [CROSSHAIRS] : [])].find((one) => one.key === key);
  if (tool) return () => take(tool);
  const action = ACTIONS.find((one) => one.key === key);
  if (action) return () => document.getElementById(`tool-${action.id}`)?.click();
  const other = KEYS.find(({ keys }) => keys.includes(key));
  if (other) return () => other.act(viewer);
  const preset = /^[1-9]$/.test(key) && presetsOf(viewer.grid.active).find((one) => one.key === key);
  return preset ? () => applyPreset(viewer.grid.active, preset) : undefined;
}

/** Shows the map of keys. */
export function showKeys(): void {
  const rows = [
    ...[...TOOLS, ...ACTIONS].map(({ label, key }) => [nameOfKey(key), label]),
    ["1 – 9", t("Windows by name")],
    ...KEYS.map(({ written, told }) => [written, told]),
    [t("Left button, one finger"), t("The tool in the hand")],
    [t("Middle button"), t("Pan")],
    [t("Right button"), t("Zoom")],
    [t("Two fingers"), t("Zoom and pan")],
    [t("Wheel, three fingers"), t("Scroll through the stack")],
  ];
  const list = make("dl", { class: "keys" });
  for (const [key = "", what = ""] of rows) list.append(make("div", {}, make("dt", {}, key), make("dd", {}, what)));
  showDialog(t("Keys"), list);
}
