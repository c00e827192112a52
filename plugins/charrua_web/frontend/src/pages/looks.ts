/** The choice of language and theme, which the browser keeps in cookies. */
import { all } from "./dom";

const YEAR_S = 31_536_000;

export function start(element: HTMLElement): void {
  for (const choice of all<HTMLSelectElement>("select[data-cookie]", element)) {
    choice.addEventListener("change", () => {
      const kept = choice.value ? YEAR_S : 0;
      document.cookie = `${choice.dataset.cookie}=${choice.value}; Path=/; Max-Age=${kept}; SameSite=Lax`;
      location.reload();
    });
  }
}
