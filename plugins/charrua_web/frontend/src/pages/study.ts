/** The page of one study: the whole screen for what the pane beside the list shows. */
import "../style/studies.css";
import { CHANGED } from "./actions_done";
import { call, sentenceOf } from "./api";
import { h, one } from "./dom";
import { addKeys } from "./keys";
import { keysOf } from "./studies_acts";
import { detailsOf } from "./studies_detail";
import { followStudies } from "./studies_live";
import { brought, statusPill, viewerOf, type Action, type Details } from "./studies_model";
import { t } from "./words";

export function start(page: HTMLElement): void {
  const details = brought<Details>("study");
  const actions = brought<Action[]>("study-actions");
  const may = details.may ?? [];
  const uid = details.study.uid;
  const place = one(".whole", page);
  const show = (told: Details) => place.replaceChildren(...contentOf(told, may, actions));
  const renew = async () => {
    try {
      show(await call<Details>("GET", `/studies/${uid}/details`));
    } catch (error) {
      place.prepend(h("p", { class: "wrong", role: "alert" }, sentenceOf(error)));
    }
  };
  show(details);
  document.addEventListener(CHANGED, () => void renew());
  followStudies((uids) => uids.includes(uid) && void renew(), () => undefined);
  addKeys(t("Study"), [
    { keys: ["Enter"], what: t("Open in the viewer"), run: () => location.assign(viewerOf(uid)), when: () => may.includes("view") },
    ...keysOf(() => [uid], may, actions),
  ]);
}

function contentOf(details: Details, may: readonly string[], actions: readonly Action[]): HTMLElement[] {
  const { study, patient } = details;
  const about = [patient.about, study.cells.modalities, study.cells.description, study.cells.date].filter(Boolean).join(" · ");
  const header = h("header", {}, h("h1", {}, patient.name || t("no name")), h("p", {}, about), statusPill(study));
  const [acts, ...parts] = detailsOf(details, may, actions);
  if (acts) header.append(acts);
  return [header, ...parts];
}
