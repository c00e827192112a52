/** Shows an instance that is no image: a report, a letter, a recording, a video. */
import { t } from "../../pages/words";
import { config } from "../config";
import type { Instance } from "../model";
import { kindOf, titleOf, type Kind } from "./kinds";
import { addressOf, frameOf, pdfFrameOf, saveLink, sentenceIn, sheetIn, showsPdf, tabLink, words, type Sheet } from "./sheet";
import { showVideo } from "./video";

const PDF = "application/pdf";
const HTML = "text/html";
const SAVED: Record<string, { mediaType: string; sentence: () => string }> = {
  "104.2": { mediaType: "text/xml", sentence: () => t("This is a clinical document (CDA), an XML file for other programs.") },
  "104.3": { mediaType: "model/stl", sentence: () => t("This is a model for 3D printing (STL).") },
  "104.4": { mediaType: "model/obj", sentence: () => t("This is a model in three dimensions (OBJ).") },
  "104.5": { mediaType: "model/mtl", sentence: () => t("These are the materials of a model (MTL).") },
};

const SHOWN: Record<Kind, (sheet: Sheet, instance: Instance) => void | Promise<void>> = {
  report: showReport,
  recording: showPage,
  sound: showPage,
  pdf: showPdf,
  ecg: showEcg,
  video: showVideo,
  file: showFile,
  other: showNothing,
};

/** Shows an instance that is no image in an element, which is empty. Rejects with an Error that is a sentence for people. */
export async function showDocument(element: HTMLElement, instance: Instance): Promise<void> {
  await SHOWN[kindOf(instance)](sheetIn(element, instance), instance);
}

function showReport(sheet: Sheet, instance: Instance): void {
  if (config.displaySr === "page") return showPage(sheet, instance);
  const address = addressOf(instance, PDF);
  const link = tabLink(address, t("Open the report"));
  if (config.displaySr === "link") return sentenceIn(sheet.body, t("This is a structured report."), link);
  // Blocked where nobody has pressed anything: then the link is pressed.
  const opened = window.open(address, "_blank");
  if (opened) opened.opener = null;
  sentenceIn(sheet.body, opened === null ? t("Reports open in a tab of their own.") : t("The report is open in a new tab."), link);
}

function showPage({ bar, body }: Sheet, instance: Instance): void {
  bar.append(tabLink(addressOf(instance, PDF), words.pdf()));
  body.replaceChildren(frameOf(addressOf(instance, HTML), titleOf(instance)));
}

function showPdf({ bar, body }: Sheet, instance: Instance): void {
  const address = addressOf(instance, PDF);
  const acts = (): Node[] => [tabLink(address, words.tab()), saveLink(address, words.save(), `${titleOf(instance)}.pdf`)];
  bar.append(...acts());
  if (showsPdf()) body.replaceChildren(pdfFrameOf(`${address}#navpanes=0`, titleOf(instance)));
  else sentenceIn(body, t("This browser shows no PDF within a page. Open it in a new tab, or save it."), ...acts());
}

async function showEcg(sheet: Sheet, instance: Instance): Promise<void> {
  const { showRecording } = await import("./ecg");
  sheet.bar.append(tabLink(addressOf(instance, PDF), words.pdf()));
  if (!(await showRecording(sheet, instance))) sheet.body.replaceChildren(frameOf(addressOf(instance, HTML), titleOf(instance)));
}

function showFile({ body }: Sheet, instance: Instance): void {
  const found = SAVED[instance.sopClass.split(".").slice(-2).join(".")];
  if (!found) return showNothing({ body }, instance);
  sentenceIn(body, found.sentence(), saveLink(addressOf(instance, found.mediaType), t("Save the file")));
}

function showNothing({ body }: Pick<Sheet, "body">, instance: Instance): void {
  const kind = instance.series.modality || instance.sopClass;
  sentenceIn(body, t("Objects of this kind ({kind}) have nothing to look at here. Other programs can fetch them from the archive.", { kind }));
}
