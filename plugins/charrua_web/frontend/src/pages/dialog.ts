/** Dialogs: title, what is asked, and its buttons; Escape closes, focus goes back to where it came from. */
import { sentenceOf } from "./api";
import { h, icon } from "./dom";
import { t } from "./words";

export interface Asked {
  title: string;
  /** What stands between title and buttons. */
  content: Node[];
  /** The word on the button that does it; none: there is only Close. */
  confirm?: string;
  danger?: boolean;
  wide?: boolean;
  /** Does it; what it throws is shown as a sentence, and the dialog stays. */
  act?: (form: FormData, dialog: HTMLDialogElement) => Promise<unknown>;
}

/** Ask in a dialog; gives true once `act` has done it, false where it was closed. */
export function ask(asked: Asked): Promise<boolean> {
  return new Promise((resolve) => {
    let done = false;
    const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
    const confirm = asked.confirm ? h("button", { class: asked.danger ? "danger" : "primary" }, asked.confirm) : null;
    const form = h(
      "form",
      { method: "dialog" },
      h("header", {}, h("h2", {}, asked.title), h("button", { type: "button", class: "plain", "aria-label": t("Close"), onclick: () => dialog.close() }, icon("close"))),
      h("div", { class: "body" }, ...asked.content, wrong),
      h("footer", {}, h("span", { class: "grow" }), h("button", { type: "button", onclick: () => dialog.close() }, confirm ? t("Cancel") : t("Close")), confirm),
    );
    const dialog = h("dialog", { class: asked.wide ? "wide" : "", "aria-label": asked.title }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!confirm || !asked.act) return dialog.close();
      confirm.disabled = true;
      wrong.hidden = true;
      asked
        .act(new FormData(form), dialog)
        .then(() => {
          done = true;
          dialog.close();
        })
        .catch((error: unknown) => {
          wrong.textContent = sentenceOf(error);
          wrong.hidden = false;
        })
        .finally(() => {
          confirm.disabled = false;
        });
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
