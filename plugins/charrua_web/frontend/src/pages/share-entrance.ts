/** Where a share link leads: exchanges its token for a visit, so that the token leaves the address bar. */
import { call, sentenceOf } from "./api";
import { one } from "./dom";
import "../style/visit.css";

export function start(form: HTMLElement): void {
  const button = one<HTMLButtonElement>("button.primary", form);
  const wrong = one(".wrong", form);
  const open = () => {
    button.disabled = true;
    wrong.hidden = true;
    const given = { token: form.dataset.token ?? "", birth_date: form.querySelector<HTMLInputElement>("[name=birth_date]")?.value ?? "" };
    call("POST", "/share", given)
      .then(() => location.replace("/visit"))
      .catch((error: unknown) => {
        wrong.textContent = sentenceOf(error);
        wrong.hidden = false;
        button.disabled = false;
      });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open();
  });
  if ("byItself" in form.dataset) open();
}
