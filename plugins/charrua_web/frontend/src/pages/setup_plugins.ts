/** The page of plugins: telling once more what one could not take. */
import { call, sentenceOf } from "./api";
import { renew } from "./renewed";
import { toast } from "./toast";
import { t } from "./words";

export function start(page: HTMLElement): void {
  page.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("[data-again]");
    if (button) void again(button);
  });
}

async function again(button: HTMLButtonElement): Promise<void> {
  const name = button.dataset.again ?? "";
  const change = button.dataset.change;
  button.disabled = true;
  try {
    const { changes } = await call<{ changes: number }>("POST", `/plugins/${encodeURIComponent(name)}/again`, change ? { changes: [Number(change)] } : {});
    await renew("plugins");
    toast(t("{name} is told of {count} changes again.", { name, count: changes }));
  } catch (error) {
    button.disabled = false;
    toast(sentenceOf(error), { kind: "bad" });
  }
}
