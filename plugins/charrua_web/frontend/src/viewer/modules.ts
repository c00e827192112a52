/** What Cornerstone asks of an image, from its data set: the provider of its metadata. */
import { number, numbers, text, texts, items, type Dataset } from "./dataset";
import { frameData } from "./functional";
import { pictureOf, type Picture } from "./stacks";

/** Images that the server made pictures of: three colours of eight bits, whatever is stored. */
export const pictured = new Set<string>();

/** Of a window (PS3.3 C.11.2.1.2); any other is taken for the first. */
const FUNCTIONS = ["LINEAR", "LINEAR_EXACT", "SIGMOID"];

type Module = (data: Dataset, picture: Picture) => object;

const MODULES: Record<string, Module> = {
  imagePixelModule,
  imagePlaneModule,
  voiLutModule: (data) => ({
    windowCenter: window(data).center,
    windowWidth: window(data).width,
    voiLUTFunction: FUNCTIONS.filter((name) => name === (text(data, "00281056") || "LINEAR")),
  }),
  modalityLutModule: (data) => ({
    rescaleIntercept: number(data, "00281052") ?? 0,
    rescaleSlope: number(data, "00281053") || 1,
    rescaleType: text(data, "00281054"),
  }),
  sopCommonModule: (_, { instance }) => ({ sopClassUID: instance.sopClass, sopInstanceUID: instance.uid }),
  generalSeriesModule: (data, { instance }) => ({
    modality: instance.series.modality,
    seriesInstanceUID: instance.series.uid,
    studyInstanceUID: instance.series.study.uid,
    seriesNumber: instance.series.number,
    seriesDescription: text(data, "0008103E"),
  }),
  generalImageModule: (_, { instance }) => ({ sopInstanceUID: instance.uid, instanceNumber: instance.number }),
  cineModule: (_, { instance }) => ({ numberOfFrames: instance.frames }),
  petSeriesModule: (data) => ({ units: text(data, "00541001"), correctedImage: texts(data, "00280051").join("\\") }),
};

/** Gives a module of an image; undefined for what is not known here. */
export function provide(type: string, imageId: unknown): object | undefined {
  const picture = typeof imageId === "string" ? pictureOf(imageId) : undefined;
  const module = MODULES[type];
  return picture && module ? module(frameData(picture.instance, picture.frame), picture) : undefined;
}

function imagePixelModule(data: Dataset, { id }: Picture): object {
  const size = { rows: number(data, "00280010"), columns: number(data, "00280011") };
  if (pictured.has(id)) return { ...size, ...EIGHT_BIT_COLOUR };
  return {
    ...size,
    samplesPerPixel: number(data, "00280002") ?? 1,
    photometricInterpretation: text(data, "00280004") || "MONOCHROME2",
    bitsAllocated: number(data, "00280100"),
    bitsStored: number(data, "00280101"),
    highBit: number(data, "00280102"),
    pixelRepresentation: number(data, "00280103") ?? 0,
    planarConfiguration: number(data, "00280006") ?? 0,
  };
}

const EIGHT_BIT_COLOUR = {
  samplesPerPixel: 3,
  photometricInterpretation: "RGB",
  bitsAllocated: 8,
  bitsStored: 8,
  highBit: 7,
  pixelRepresentation: 0,
  planarConfiguration: 0,
};

function imagePlaneModule(data: Dataset, { instance }: Picture): object {
  const orientation = numbers(data, "00200037");
  const position = numbers(data, "00200032");
  const known = orientation.length === 6 && position.length === 3;
  const cosines = known ? orientation : [1, 0, 0, 0, 1, 0];
  const spacing = spacingOf(data);
  return {
    frameOfReferenceUID: text(data, "00200052") || instance.series.uid,
    rows: number(data, "00280010"),
    columns: number(data, "00280011"),
    imageOrientationPatient: cosines,
    rowCosines: cosines.slice(0, 3),
    columnCosines: cosines.slice(3),
    imagePositionPatient: known ? position : [0, 0, 0],
    sliceThickness: number(data, "00180050"),
    sliceLocation: number(data, "00201041"),
    pixelSpacing: spacing.source ? [spacing.row, spacing.column] : undefined,
    rowPixelSpacing: spacing.row,
    columnPixelSpacing: spacing.column,
    usingDefaultValues: !known || !spacing.source,
  };
}

export interface Spacing {
  /** Distance between the centres of rows, of columns. */
  row: number;
  column: number;
  /**
   * Where it is from: `patient` (Pixel Spacing), `detector` (Imager Pixel Spacing: not corrected for magnification), ""
   * where there is none and the spacing is 1 pixel.
   */
  source: "patient" | "detector" | "";
}

/** The spacing of an image in mm, that of the patient before that of the detector; pixels that are not square keep their ratio. */
export function spacingOf(data: Dataset): Spacing {
  for (const [tag, source] of [["00280030", "patient"], ["00181164", "detector"], ["00182010", "detector"]] as const) {
    const [row, column] = numbers(data, tag);
    if (row && column && row > 0 && column > 0) return { row, column, source };
  }
  const [high, wide] = numbers(data, "00280034");
  return { row: high && wide ? high / wide : 1, column: 1, source: "" };
}

/** All windows that the image brings, the first of which it is shown in. */
export function windowsOf(data: Dataset): { name: string; center: number; width: number }[] {
  const [centers, widths, names] = [numbers(data, "00281050"), numbers(data, "00281051"), texts(data, "00281055")];
  return centers.flatMap((center, index) => {
    const width = widths[index];
    return width !== undefined && width > 0 ? [{ name: names[index] ?? "", center, width }] : [];
  });
}

/** Its first window; of an image that has a look-up table instead, the range of that table. */
function window(data: Dataset): { center?: number[]; width?: number[] } {
  const windows = windowsOf(data);
  if (windows.length) return { center: windows.map((one) => one.center), width: windows.map((one) => one.width) };
  const table = items(data, "00283010")[0];
  const [length, first] = table ? numbers(table, "00283002") : [];
  if (first === undefined || length === undefined) return {};
  const entries = length || 65536;
  return { center: [first + entries / 2], width: [entries] };
}
