/** Images for Cornerstone: frames decoded in its workers; what those cannot decode, as pictures from the server. */
import { cache, imageLoader, metaData, utilities, type Types } from "@cornerstonejs/core";
import { createImage } from "@cornerstonejs/dicom-image-loader";
import { config } from "./config";
import { counters } from "./counters";
import { number, numbers, text, values, items, type Dataset } from "./dataset";
import { asPicture, BASELINE, BROWSER_COLOURS, decodeAtServer, early, fetchFrame, fetchPicture, NoFrame, type FrameBytes } from "./frames";
import { frameData } from "./functional";
import { pictured, provide, spacingOf } from "./modules";
import { pictureOf, SCHEME, type Picture } from "./stacks";

type Options = Parameters<typeof createImage>[3] & { useRGBA?: boolean };

/** Makes Cornerstone load images of this viewer. */
export function registerLoader(): void {
  metaData.addProvider(provide, 10_000);
  imageLoader.registerImageLoader(SCHEME, (imageId, options) => ({ promise: load(imageId, (options ?? {}) as Options) }) as never);
}

/** Whether the image that is shown is a picture made by the server, and no stored values are at hand. */
export function isPicture(imageId: string): boolean {
  return pictured.has(imageId);
}

/** Forgets all images: they are loaded anew, in the mode that is set then. */
export function forgetImages(): void {
  pictured.clear();
  early.clear();
  cache.purgeCache();
}

async function load(imageId: string, options: Options): Promise<Types.IImage> {
  const picture = pictureOf(imageId);
  if (!picture) throw new Error(`there is no image ${imageId}`);
  try {
    const image = asPicture(picture) ? await fromServer(picture, options) : await fromFrame(picture, options);
    counters.decoded += 1;
    return image;
  } catch (error) {
    counters.failed += 1;
    throw error;
  }
}

async function fromFrame(picture: Picture, options: Options): Promise<Types.IImage> {
  try {
    const frame = await (early.get(picture.id) ?? fetchFrame(picture));
    early.delete(picture.id);
    return await decoded(picture, frame, options);
  } catch (error) {
    early.delete(picture.id);
    if (error instanceof NoFrame && error.status !== 422) throw error;
    if (error instanceof TypeError) throw error; // the network
    if (decodeAtServer(picture)) return fromFrame(picture, options);
    return fromServer(picture, options);
  }
}

async function decoded(picture: Picture, { bytes, syntax }: FrameBytes, options: Options): Promise<Types.IImage> {
  const data = frameData(picture.instance, picture.frame);
  const colours = text(data, "00280004");
  const isColour = (number(data, "00280002") ?? 1) > 1;
  if (isColour && BROWSER_COLOURS.has(colours)) {
    if (syntax !== BASELINE) return fromServer(picture, options);
    return fromBitmap(picture, await createImageBitmap(jpeg(bytes), { colorSpaceConversion: "none" }), options);
  }
  if (isColour && syntax === BASELINE) return fromServer(picture, options); // RGB, which browsers take for YCbCr
  const image = (await createImage(picture.id, bytes as never, syntax, options)) as Types.IImage;
  return image.color ? image : throughTable(image, data);
}

function jpeg(bytes: Uint8Array): Blob {
  return new Blob([bytes as BlobPart], { type: "image/jpeg" });
}

async function fromServer(picture: Picture, options: Options): Promise<Types.IImage> {
  const bitmap = await fetchPicture(picture, config.mode === "lossy");
  pictured.add(picture.id);
  return fromBitmap(picture, bitmap, options);
}

/** An image of three colours; four where Cornerstone draws without WebGL. */
function fromBitmap(picture: Picture, bitmap: ImageBitmap, options: Options): Types.IImage {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser cannot draw images");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  return colourImage(picture, options.useRGBA ? new Uint8ClampedArray(rgba) : withoutAlpha(rgba), width, height);
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8ClampedArray {
  const rgb = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}

function colourImage(picture: Picture, pixels: Uint8ClampedArray, width: number, height: number): Types.IImage {
  const spacing = spacingOf(frameData(picture.instance, picture.frame));
  const numberOfComponents = pixels.length / (width * height);
  const shared = { width, height, numberOfComponents, scalarData: pixels };
  return {
    imageId: picture.id,
    dataType: "Uint8ClampedArray" as never,
    color: true,
    rgba: numberOfComponents === 4,
    numberOfComponents,
    rows: height,
    columns: width,
    height,
    width,
    rowPixelSpacing: spacing.row,
    columnPixelSpacing: spacing.column,
    slope: 1,
    intercept: 0,
    invert: false,
    minPixelValue: 0,
    maxPixelValue: 255,
    windowCenter: 128,
    windowWidth: 256,
    voiLUTFunction: "LINEAR" as never,
    sizeInBytes: pixels.byteLength,
    getPixelData: () => pixels as never,
    getCanvas: () => drawn(pixels, width, height),
    voxelManager: utilities.VoxelManager.createImageVoxelManager(shared as never) as never,
  };
}

function drawn(pixels: Uint8ClampedArray, width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.putImageData(new ImageData(pixels as never, width, height), 0, 0);
  return canvas;
}

/** The image with its values brought through its Modality LUT, where it has one instead of a slope (PS3.3 C.11.1). */
function throughTable(image: Types.IImage, data: Dataset): Types.IImage {
  const table = items(data, "00283000")[0];
  const [length, first = 0] = table ? numbers(table, "00283002") : [];
  const entries = table && length !== undefined ? tableOf(table) : undefined;
  if (!entries?.length) return image;
  const stored = image.getPixelData();
  const mapped = new Uint16Array(stored.length);
  for (let at = 0; at < stored.length; at++) {
    mapped[at] = entries[Math.min(Math.max(stored[at]! - first, 0), entries.length - 1)]!;
  }
  let [least, most] = [Infinity, -Infinity];
  for (const value of mapped) [least, most] = [Math.min(least, value), Math.max(most, value)];
  const { width, height } = image;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({ width, height, numberOfComponents: 1, scalarData: mapped });
  const hasWindow = numbers(data, "00281050").length > 0;
  const shown = hasWindow ? {} : { windowCenter: (least + most + 1) / 2, windowWidth: most - least + 1 };
  return Object.assign(image, {
    getPixelData: () => mapped,
    voxelManager,
    dataType: "Uint16Array",
    minPixelValue: least,
    maxPixelValue: most,
    sizeInBytes: mapped.byteLength,
    ...shown,
  });
}

function tableOf(table: Dataset): ArrayLike<number> {
  const inline = table["00283006"]?.InlineBinary;
  if (!inline) return values(table, "00283006").map(Number);
  const bytes = Uint8Array.from(atob(inline), (letter) => letter.charCodeAt(0));
  return new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
}
