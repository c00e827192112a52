/** The tools of the mouse, of fingers and of the wheel, as Cornerstone knows them. */
import * as tools from "@cornerstonejs/tools";
import { t } from "../pages/words";
import { config } from "./config";
import { linesOf } from "./annotations";

export const STACK_GROUP = "stacks";
export const VOLUME_GROUP = "volumes";

const { MouseBindings } = tools.Enums;

export interface Tool {
  /** Cornerstone's name. */
  name: string;
  label: string;
  key: string;
  icon: string;
  /** Whether it measures, which is off on lossy pictures. */
  measures: boolean;
}

/** The tools of which one is in the hand at a time, in the order of the row. */
export const TOOLS: readonly Tool[] = [
  { name: tools.WindowLevelTool.toolName, label: t("Window width and center"), key: "w", icon: "window", measures: false },
  { name: tools.ZoomTool.toolName, label: t("Zoom"), key: "z", icon: "zoom", measures: false },
  { name: tools.PanTool.toolName, label: t("Pan"), key: "p", icon: "pan", measures: false },
  { name: tools.StackScrollTool.toolName, label: t("Scroll through the stack"), key: "s", icon: "scroll", measures: false },
  { name: tools.MagnifyTool.toolName, label: t("Magnifying glass"), key: "g", icon: "magnify", measures: false },
  { name: tools.LengthTool.toolName, label: t("Length"), key: "l", icon: "length", measures: true },
  { name: tools.AngleTool.toolName, label: t("Angle"), key: "a", icon: "angle", measures: true },
  { name: tools.EllipticalROITool.toolName, label: t("Elliptical region"), key: "e", icon: "ellipse", measures: true },
  { name: tools.RectangleROITool.toolName, label: t("Rectangular region"), key: "r", icon: "rectangle", measures: true },
  { name: tools.ArrowAnnotateTool.toolName, label: t("Arrow with text"), key: "t", icon: "arrow", measures: true },
  { name: tools.ProbeTool.toolName, label: t("Value at a point"), key: "v", icon: "probe", measures: true },
];

export const CROSSHAIRS: Tool = {
  name: tools.CrosshairsTool.toolName,
  label: t("Crosshair"),
  key: "x",
  icon: "crosshair",
  measures: false,
};

const [WINDOW, ZOOM, PAN, SCROLL] = TOOLS.map((tool) => tool.name) as [string, string, string, string];
const PLANES: Record<string, string> = { axial: "#d9534f", sagittal: "#e2b04a", coronal: "#4c9be0" };

let active = WINDOW;
const listeners = new Set<() => void>();

/** Makes the tools known, and both groups: that of stacks and that of volumes. */
export function addTools(): void {
  const classes = [
    tools.WindowLevelTool, tools.ZoomTool, tools.PanTool, tools.StackScrollTool, tools.MagnifyTool, tools.LengthTool,
    tools.AngleTool, tools.EllipticalROITool, tools.RectangleROITool, tools.ArrowAnnotateTool, tools.ProbeTool,
    tools.CrosshairsTool, tools.ReferenceLinesTool,
  ];
  classes.forEach((one) => tools.addTool(one));
  styleAnnotations();
  const stacks = group(STACK_GROUP);
  stacks.addTool(tools.ReferenceLinesTool.toolName, { showFullDimension: true });
  const volumes = group(VOLUME_GROUP);
  volumes.addTool(CROSSHAIRS.name, {
    getReferenceLineColor: (viewportId: string) => PLANES[viewportId.replace("mpr-", "")],
    getReferenceLineSlabThicknessControlsOn: () => false,
  });
  hold(active);
}

function group(id: string): tools.Types.IToolGroup {
  const made = tools.ToolGroupManager.createToolGroup(id) as tools.Types.IToolGroup;
  for (const { name, measures } of TOOLS) made.addTool(name, measures ? { ...TEXTS, ...(id === STACK_GROUP && { getTextLines: linesOf(name) }) } : {});
  for (const { name, measures } of TOOLS) if (measures) made.setToolPassive(name);
  return made;
}

/** An arrow's text is asked for on the page, not by a dialog of the browser. */
const TEXTS = {
  getTextCallback: (done: (text: string) => void) => asks.text("").then(done),
  changeTextCallback: (data: { label?: string }, _: unknown, done: (text: string) => void) =>
    asks.text(data.label ?? "").then(done),
};

/** How a text is asked for; the page sets it. */
export const asks = { text: (current: string): Promise<string> => Promise.resolve(current) };

/** The tool in the hand. */
export function held(): string {
  return active;
}

/** Whether a tool may be taken: nothing is measured on pictures that lost what they showed. */
export function mayHold(tool: Tool): boolean {
  return !tool.measures || config.mode === "lossless";
}

/** Takes a tool in the hand: of the left button and of one finger. */
export function hold(name: string): void {
  active = name;
  for (const id of [STACK_GROUP, VOLUME_GROUP]) {
    const made = tools.ToolGroupManager.getToolGroup(id);
    if (made) bind(made, made.hasTool(name) ? name : WINDOW);
  }
  listeners.forEach((listener) => listener());
}

export function whenHeld(listener: () => void): void {
  listeners.add(listener);
}

/** Left the tool in the hand, middle pan, right zoom (window where the hand has zoom), wheel scroll; two fingers zoom and
 * pan, three scroll. */
function bind(made: tools.Types.IToolGroup, name: string): void {
  const bindings = new Map<string, object[]>();
  const add = (tool: string, binding: object): void => void bindings.set(tool, [...(bindings.get(tool) ?? []), binding]);
  add(name, { mouseButton: MouseBindings.Primary });
  add(name, { numTouchPoints: 1 });
  add(PAN, { mouseButton: MouseBindings.Auxiliary });
  add(name === ZOOM ? WINDOW : ZOOM, { mouseButton: MouseBindings.Secondary });
  add(ZOOM, { numTouchPoints: 2 });
  add(SCROLL, { mouseButton: MouseBindings.Wheel });
  add(SCROLL, { numTouchPoints: 3 });
  for (const tool of [...TOOLS, CROSSHAIRS]) {
    if (!made.hasTool(tool.name)) continue;
    if (bindings.has(tool.name)) made.setToolActive(tool.name, { bindings: bindings.get(tool.name) as never });
    else if (tool.measures) made.setToolPassive(tool.name, { removeAllBindings: true });
    else made.setToolDisabled(tool.name);
  }
}

/** Lines where the image of the active viewport cuts the others. */
export function showReferenceLines(sourceViewportId: string | undefined): void {
  const stacks = tools.ToolGroupManager.getToolGroup(STACK_GROUP);
  if (!stacks) return;
  const name = tools.ReferenceLinesTool.toolName;
  if (!sourceViewportId) return stacks.setToolDisabled(name);
  stacks.setToolConfiguration(name, { sourceViewportId, showFullDimension: true });
  stacks.setToolEnabled(name);
}

function styleAnnotations(): void {
  const { style } = tools.annotation.config;
  const current = style.getDefaultToolStyles();
  style.setDefaultToolStyles({
    ...current,
    global: {
      ...current.global,
      color: "rgb(255, 208, 92)",
      colorHighlighted: "rgb(120, 230, 214)",
      colorSelected: "rgb(120, 230, 214)",
      lineWidth: "1.5",
      textBoxFontFamily: "Inter Variable, system-ui, sans-serif",
      textBoxFontSize: "13px",
      textBoxColor: "rgb(255, 208, 92)",
      textBoxColorHighlighted: "rgb(120, 230, 214)",
      textBoxColorSelected: "rgb(120, 230, 214)",
      textBoxLinkLineColor: "rgb(255, 208, 92)",
      shadow: true,
    } as never,
  });
}
