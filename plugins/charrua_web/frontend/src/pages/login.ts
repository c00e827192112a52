/** The page at which people log in. */
import { call, sentenceOf } from "./api";
import { one } from "./dom";

interface Who {
  must_change_password: boolean;
}

export function start(page: HTMLElement): void {
  const form = one<HTMLFormElement>("form", page);
  const wrong = one(".wrong", form);
  const button = one<HTMLButtonElement>("button", form);
  one<HTMLInputElement>("input[name=name]", form).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    const given = new FormData(form);
    call<Who>("POST", "/login", { name: given.get("name"), password: given.get("password") })
      .then((who) => location.assign(who.must_change_password ? "/password" : (form.dataset.next ?? "/")))
      .catch((error: unknown) => {
        wrong.textContent = sentenceOf(error);
        wrong.hidden = false;
        button.disabled = false;
      });
  });
}
