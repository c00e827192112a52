/** What the server gave with the page. */
import type { Dataset } from "./dataset";

export interface Config {
  /** The studies to show, the one that was asked for first, each with its series as QIDO-RS gives them. */
  studies: { data: Dataset; series: Dataset[] }[];
  /** What to show first: UIDs, "" where nothing was chosen. */
  chosen: { series: string; instance: string };
  mode: Mode;
  /** Whether whoever looks may see pictures made by the server alone. */
  lossyOnly: boolean;
  /** The transfer syntax in which frames are to come; "" where each comes as it is stored. */
  transferSyntax: string;
  /** Where the study is downloaded, "" where it may not be. */
  download: string;
  /** Where to go when the viewer is closed. */
  back: string;
  /** Whether measurements may be saved in the study. */
  maySave: boolean;
  /** How structured reports are shown: the setting display_sr. */
  displaySr: "page" | "pdf" | "link";
}

/** `lossless`: the pixels as they are stored. `lossy`: JPEG pictures, on which nothing is measured. */
export type Mode = "lossless" | "lossy";

export const config: Config = JSON.parse(document.getElementById("viewer-config")?.textContent ?? "null");
