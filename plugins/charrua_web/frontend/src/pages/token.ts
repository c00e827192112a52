/** Making a token, which is shown once. */
import { type Method, call } from "./api";
import { ask } from "./dialog";
import { h } from "./dom";
import { t } from "./words";

interface Made {
  token: string;
}

export function start(button: HTMLElement): void {
  button.addEventListener("click", () => void make(button));
}

async function make(button: HTMLElement): Promise<void> {
  const [method, path] = (button.dataset.make ?? "").split(" ", 2) as [Method, string];
  const own = "own" in button.dataset;
  let token = "";
  const days = [7, 30, 90, 365];
  const made = await ask({
    title: t("New token"),
    content: [
      h("p", {}, t("A program that has the token may do what its user may. It is shown once.")),
      labelled(t("What it is for"), h("input", { name: "purpose", required: true, maxlength: 100, autocomplete: "off" })),
      labelled(
        t("Good for"),
        h("select", { name: "days" }, ...days.map((number) => h("option", { value: number, selected: number === 90 }, t("{number} days", { number }))), h("option", { value: "" }, t("Without end"))),
      ),
      ...(own ? [labelled(t("Your password"), h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" }))] : []),
    ],
    confirm: t("Make it"),
    act: async (form) => {
      const body = { purpose: form.get("purpose"), days: form.get("days") ? Number(form.get("days")) : null };
      const password = own ? { password: form.get("password") } : {};
      ({ token } = await call<Made>(method, path, { ...body, ...password }));
    },
  });
  if (!made) return;
  await ask({
    title: t("New token"),
    content: [
      h("p", {}, t("Copy it now: nobody can see it again.")),
      h("p", { class: "token" }, h("code", {}, token)),
      h("p", {}, h("button", { type: "button", "data-copy": token }, t("Copy"))),
    ],
  });
  location.reload();
}

function labelled(label: string, control: HTMLElement): HTMLElement {
  return h("label", { class: "field" }, h("span", {}, label), control);
}
