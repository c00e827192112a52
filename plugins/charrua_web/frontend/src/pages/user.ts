/** The page of one user: what a filter would show is counted while it is written. */
import { Problem, call, sentenceOf } from "./api";
import { all, one } from "./dom";
import { bodyOf } from "./forms";
import { t } from "./words";

const PAUSE_MS = 300;

interface Seen {
  sees: number | null;
  of: number | null;
  counted: number;
}

export function start(page: HTMLElement): void {
  const form = one<HTMLFormElement>("form[data-send]", page);
  const told = one("[data-preview]", page);
  let waiting = 0;
  let asked = 0;
  const renew = () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(async () => {
      const number = ++asked;
      const sentence = await preview(form);
      if (number === asked) told.textContent = sentence;
    }, PAUSE_MS);
  };
  form.addEventListener("input", renew);
  form.addEventListener("change", renew);
  form.addEventListener("click", renew);
  for (const suggestion of all("[data-suggest]", page)) suggestion.addEventListener("click", () => suggest(form, suggestion, renew));
  renew();
}

async function preview(form: HTMLFormElement): Promise<string> {
  const filter = bodyOf(form).filter ?? null;
  try {
    return inWords(await call<Seen>("POST", "/filters/preview", { filter }), filter === null);
  } catch (error) {
    return error instanceof Problem ? error.message : sentenceOf(error);
  }
}

function inWords({ sees, of, counted }: Seen, all: boolean): string {
  if (sees === null || of === null) return t("There are too many studies to count them now.");
  const write = (number: number) => (number >= counted ? t("{number} or more", { number: number.toLocaleString(document.documentElement.lang) }) : number.toLocaleString(document.documentElement.lang));
  if (all) return t("Sees all {of} studies.", { of: write(of) });
  return t("Sees {sees} of {of} studies.", { sees: write(sees), of: write(of) });
}

/** Put a filter in that many have. */
function suggest(form: HTMLFormElement, button: HTMLElement, renew: () => void): void {
  one<HTMLButtonElement>('[data-add="filter"]', form).click();
  const row = one('[data-rows="filter"] > :last-child', form);
  one<HTMLSelectElement>("[name=key]", row).value = button.dataset.suggest ?? "";
  one<HTMLInputElement>("[name=value]", row).focus();
  renew();
}
