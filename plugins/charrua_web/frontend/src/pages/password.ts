/** The page at which people change their password. */
import { call, sentenceOf } from "./api";
import { one } from "./dom";
import { tell } from "./login";
import { t } from "./words";

export function start(page: HTMLElement): void {
  const form = one<HTMLFormElement>("form", page);
  one<HTMLInputElement>("input[name=current]", form).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void change(form);
  });
}

async function change(form: HTMLFormElement): Promise<void> {
  const given = new FormData(form);
  if (given.get("new") !== given.get("again")) return tell(form, t("The new password was not written twice alike."));
  const button = one<HTMLButtonElement>("button.primary", form);
  button.disabled = true;
  tell(form, "");
  try {
    await call("POST", "/password", { current: given.get("current"), new: given.get("new") });
    location.assign(form.dataset.next ?? "/");
  } catch (error) {
    tell(form, sentenceOf(error));
    button.disabled = false;
  }
}
