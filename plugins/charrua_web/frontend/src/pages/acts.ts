/**
 * Buttons that ask the server for something, described by their attributes, so that templates of any plugin have them:
 *
 *     <button data-call="DELETE /users/eva" data-confirm="Remove eva?" data-word="Remove" data-danger
 *             data-told="eva was removed." data-then="/setup/people">Remove</button>
 *
 * `data-body` is JSON that goes with it, `data-confirm` is asked before. After it the nearest `[data-row]` goes, or the page
 * `data-then` is shown (`.`: this one again), and `data-told` is told at the foot of the page; `data-answer` names the member
 * of the answer that is told instead. `data-undo` is a call that takes it back. With `data-each`, a selector of ticked boxes, it is asked for each: `{}` in the path
 * stands for the value. `[data-all]` ticks all boxes of its selector.
 */
import { type Method, call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { all, h } from "./dom";
import { later, toast } from "./toast";
import { t } from "./words";

export function start(): void {
  document.addEventListener("change", (event) => {
    const every = (event.target as Element).closest<HTMLInputElement>("input[data-all]");
    if (every) for (const box of all<HTMLInputElement>(every.dataset.all ?? "")) box.checked = every.checked && !box.disabled;
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-call]");
    if (!button) return;
    event.preventDefault();
    void act(button);
  });
}

async function act(button: HTMLElement): Promise<void> {
  const { confirm, word, each } = button.dataset;
  if (each !== undefined && !all(each).length) return toast(t("Choose something first."), { kind: "bad" });
  if (confirm === undefined) return run(button).catch((error: unknown) => toast(sentenceOf(error), { kind: "bad" }));
  await ask({
    title: word ?? button.textContent?.trim() ?? "",
    content: [h("p", {}, confirm)],
    confirm: word ?? t("Yes"),
    danger: "danger" in button.dataset,
    act: () => run(button),
  });
}

async function run(button: HTMLElement): Promise<void> {
  const [method, path] = (button.dataset.call ?? "").split(" ", 2) as [Method, string];
  const { body, told, then, answer: member } = button.dataset;
  button.toggleAttribute("disabled", true);
  try {
    const sent = body === undefined ? undefined : JSON.parse(body);
    let answer: Record<string, unknown> | null = null;
    for (const one of pathsOf(path, button.dataset.each)) answer = await call(method, one, sent);
    if (member && answer) return void toast(String(answer[member]), { kind: answer.works === false ? "bad" : "good" });
    if (then) return go(then, told, button.dataset.undo);
    button.closest("[data-row]")?.remove();
    if (told) toast(told);
  } finally {
    button.toggleAttribute("disabled", false);
  }
}

function pathsOf(path: string, each: string | undefined): string[] {
  if (each === undefined) return [path];
  return all<HTMLInputElement>(each).map((box) => path.replace("{}", encodeURIComponent(box.value)));
}

/** Show another page, or this one again, and tell there what was done. */
export function go(then: string, told?: string, undo?: string): void {
  if (told) later(told, undo);
  if (then === ".") location.reload();
  else location.assign(then);
}
