/** The patient portal's door: two numbers for a visit. */
import { call, sentenceOf } from "./api";
import { one } from "./dom";
import "../style/visit.css";

export function start(form: HTMLElement): void {
  const button = one<HTMLButtonElement>("button.primary", form);
  const wrong = one(".wrong", form);
  one<HTMLInputElement>("input", form).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    call("POST", "/portal", Object.fromEntries(new FormData(form as HTMLFormElement)))
      .then(() => location.assign("/visit"))
      .catch((error: unknown) => {
        wrong.textContent = sentenceOf(error);
        wrong.hidden = false;
        button.disabled = false;
      });
  });
}
