/** Cornerstone, made ready: memory, workers, loader, the engine that draws. */
import * as core from "@cornerstonejs/core";
import { init as initLoader } from "@cornerstonejs/dicom-image-loader";
import * as tools from "@cornerstonejs/tools";
import { registerLoader } from "./loader";
import { addTools } from "./tools";

const MEGABYTE = 1 << 20;
export const ENGINE = "charrua";

let engine: core.RenderingEngine | undefined;

/** Makes Cornerstone ready; the engine is there afterwards. */
export function startEngine(): core.RenderingEngine {
  core.init({ isMobile: isSmallDevice() } as never);
  core.cache.setMaxCacheSize(memory());
  initLoader({ maxWebWorkers: Math.min(Math.max((navigator.hardwareConcurrency || 2) - 1, 1), 6) });
  core.imageLoadPoolManager.setMaxSimultaneousRequests(core.Enums.RequestType.Interaction, 6);
  core.imageLoadPoolManager.setMaxSimultaneousRequests(core.Enums.RequestType.Prefetch, 4);
  registerLoader();
  tools.init();
  addTools();
  engine = new core.RenderingEngine(ENGINE);
  return engine;
}

export function theEngine(): core.RenderingEngine {
  if (!engine) throw new Error("the engine was not started");
  return engine;
}

/** Whether images are drawn without WebGL. */
export function drawsOnCpu(): boolean {
  return core.getShouldUseCPURendering();
}

/** Bytes of images that are kept: a quarter of the device's memory as the browser tells it. */
export function memory(): number {
  const gigabytes = (navigator as Navigator & { deviceMemory?: number }).deviceMemory ?? (isSmallDevice() ? 1 : 4);
  return Math.min(Math.max(gigabytes * 256, 256), 2048) * MEGABYTE;
}

function isSmallDevice(): boolean {
  return matchMedia("(pointer: coarse) and (max-width: 900px)").matches;
}
