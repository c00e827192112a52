/** Links to structured reports at their thumbnails, where the setting display_sr has them so. */
import { t } from "../../pages/words";
import { loadInstances } from "../archive";
import { config } from "../config";
import { make } from "../dom";
import type { Instance } from "../model";
import type { Viewer } from "../viewer";
import { kindOf } from "./kinds";
import { addressOf } from "./sheet";

/** Puts them there, series by series. */
export async function linkReports({ studies }: Viewer): Promise<void> {
  if (config.displaySr !== "link") return;
  const places = document.querySelectorAll("#viewer-strip li.series");
  const all = studies.flatMap((study) => study.series);
  for (const [at, series] of all.entries()) {
    if (series.modality !== "SR") continue;
    const instances = await loadInstances(series).catch((): Instance[] => []);
    places[at]?.append(...instances.filter((one) => kindOf(one) === "report").map(linkOf));
  }
}

function linkOf(instance: Instance, at: number, { length }: Instance[]): HTMLElement {
  const label = length > 1 ? t("Report {number} (PDF)", { number: at + 1 }) : t("Report (PDF)");
  return make("a", { class: "report-link", href: addressOf(instance, "application/pdf"), target: "_blank", rel: "noopener" }, label);
}
