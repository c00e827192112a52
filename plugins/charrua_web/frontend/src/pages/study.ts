/** The page of one study: the whole screen for what the pane beside the list shows. */
import "../style/studies.css";
import { h, one } from "./dom";
import { addKeys } from "./keys";
import { keysOf } from "./studies_acts";
import { detailsOf } from "./studies_detail";
import { brought, statusPill, viewerOf, type Action, type Details } from "./studies_model";
import { t } from "./words";

export function start(page: HTMLElement): void {
  const details = brought<Details>("study");
  const actions = brought<Action[]>("study-actions");
  const may = details.may ?? [];
  const { study, patient } = details;
  const about = [patient.about, study.cells.modalities, study.cells.description, study.cells.date].filter(Boolean).join(" · ");
  const header = h("header", {}, h("h1", {}, patient.name || t("no name")), h("p", {}, about), statusPill(study));
  const [acts, ...parts] = detailsOf(details, may, actions);
  if (acts) header.append(acts);
  one(".whole", page).replaceChildren(header, ...parts);
  addKeys(t("Study"), [
    { keys: ["Enter"], what: t("Open in the viewer"), run: () => location.assign(viewerOf(study.uid)), when: () => may.includes("retrieve") },
    ...keysOf(() => [study.uid], may, actions),
  ]);
}
