/** Deleting studies, or series of one, with what goes named before and a way back after. */
import { call } from "./api";
import { lineOf, studyOf, type Answer, type Study } from "./actions_model";
import { tellDone } from "./actions_done";
import { chooseSeries, type Choice } from "./actions_series";
import { ask } from "./dialog";
import { h } from "./dom";
import { t } from "./words";

const NAMED = 6;

export async function confirmDelete(uids: readonly string[], series: readonly string[] = []): Promise<void> {
  const studies = await Promise.all(uids.slice(0, NAMED).map(studyOf));
  const single = uids.length === 1 ? studies[0] : undefined;
  const choice = single && chooseSeries(single, t("What goes"), series, () => undefined);
  const reason = h("input", { name: "reason", autofocus: true, maxlength: 500, placeholder: t("kept with the deletion") });
  await ask({
    title: uids.length === 1 ? t("Delete") : t("Delete {n} studies", { n: uids.length }),
    content: [
      h("ul", { class: "lines" }, ...studies.map((study) => h("li", {}, lineOf(study))), uids.length > NAMED && h("li", {}, t("and {n} more", { n: uids.length - NAMED }))),
      ...(choice ? [choice.element] : []),
      ...(studies.some((study) => !study.whole) ? [h("p", { class: "wrong" }, t("Parts of what you chose are not yours to see: only series that you see can be deleted."))] : []),
      h("p", { class: "soft" }, t("It goes out of sight at once. Until its files are removed, some days later, it can be had back by Undo and from the study's history.")),
      h("label", { class: "field" }, h("span", {}, t("Reason")), reason),
    ],
    confirm: t("Delete"),
    danger: true,
    act: async () => deleteAll(uids, single, choice, reason.value),
  });
}

async function deleteAll(uids: readonly string[], single: Study | undefined, choice: Choice | undefined, reason: string): Promise<void> {
  const series = choice?.chosen() ?? [];
  if (choice && !series.length && choice.element.querySelector<HTMLInputElement>("[value=some]")?.checked) {
    throw new Error(t("Tick the series that go, or choose the whole study."));
  }
  const edits: string[] = [];
  const gone: string[] = [];
  try {
    for (const uid of uids) {
      const answer = await call<Answer>("POST", `/actions/studies/${encodeURIComponent(uid)}/delete`, { series, reason });
      edits.push(...answer.edits);
      gone.push(uid);
    }
  } finally {
    if (gone.length) tellDone(sentence(gone.length, series.length, single), edits, gone);
  }
}

function sentence(studies: number, series: number, single: Study | undefined): string {
  if (series) return series === 1 ? t("1 series is deleted.") : t("{n} series are deleted.", { n: series });
  if (studies === 1) return single ? t("Deleted: {what}", { what: lineOf(single) }) : t("1 study is deleted.");
  return t("{n} studies are deleted.", { n: studies });
}
