/** Choosing what an action is about: the whole study, or some of its series. */
import { all, h } from "./dom";
import { seriesLine, type Study } from "./actions_model";
import { t } from "./words";

export interface Choice {
  element: HTMLElement;
  /** The UIDs of the series that are chosen; none stands for the whole study. */
  chosen(): string[];
}

/** A list of series to tick, behind "whole study"; `ticked` are chosen at first. */
export function chooseSeries(study: Study, legend: string, ticked: readonly string[], changed: () => void): Choice {
  const whole = radio("whole", t("The whole study"), !ticked.length);
  const some = radio("some", t("Some series"), ticked.length > 0);
  const list = h("div", { class: "choices" }, ...study.series.map((one) => tick(one.series, seriesLine(one), ticked.includes(one.series))));
  const show = () => {
    list.hidden = !one(some).checked;
    changed();
  };
  const element = h("fieldset", { class: "choose" }, h("legend", {}, legend), whole, some, list);
  element.addEventListener("change", show);
  list.hidden = !ticked.length;
  if (study.series.length < 2) some.hidden = list.hidden = true;
  return {
    element,
    chosen: () => (one(some).checked ? all<HTMLInputElement>("[name=series]:checked", list).map((box) => box.value) : []),
  };
}

function one(label: HTMLElement): HTMLInputElement {
  return label.querySelector("input")!;
}

function radio(value: string, text: string, checked: boolean): HTMLLabelElement {
  return h("label", { class: "tick" }, h("input", { type: "radio", name: "part", value, checked }), h("span", {}, text));
}

function tick(value: string, text: string, checked: boolean): HTMLLabelElement {
  return h("label", { class: "tick" }, h("input", { type: "checkbox", name: "series", value, checked }), h("span", {}, text));
}
