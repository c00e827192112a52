/** The page of one study: the whole screen for what the pane beside the list shows. */
import "../style/studies.css";
import { call, sentenceOf } from "./api";
import { h, one } from "./dom";
import { addKeys } from "./keys";
import { keysOf } from "./studies_acts";
import { detailsOf } from "./studies_detail";
import { brought, statusPill, viewerOf, type Action, type Details } from "./studies_model";
import { t } from "./words";

export function start(page: HTMLElement): void {
  const given = brought<Details>("study");
  const actions = brought<Action[]>("study-actions");
  const may = given.may ?? [];
  const uid = given.study.uid;
  const whole = one(".whole", page);
  const renew = async () => {
    try {
      show(whole, await call<Details>("GET", `/studies/${uid}/details`), may, actions);
    } catch (error) {
      whole.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
    }
  };
  show(whole, given, may, actions);
  document.addEventListener("studies-changed", () => void renew());
  addKeys(t("Study"), [
    { keys: ["Enter"], what: t("Open in the viewer"), run: () => location.assign(viewerOf(uid)), when: () => may.includes("retrieve") },
    ...keysOf(() => [uid], may, actions),
  ]);
}

function show(whole: HTMLElement, details: Details, may: readonly string[], actions: readonly Action[]): void {
  const { study, patient } = details;
  const about = [patient.about, study.cells.modalities, study.cells.description, study.cells.date].filter(Boolean).join(" · ");
  const header = h("header", {}, h("h1", {}, patient.name || t("no name")), h("p", {}, about), statusPill(study));
  const [acts, ...parts] = detailsOf(details, may, actions);
  if (acts) header.append(acts);
  whole.replaceChildren(header, ...parts);
}
