/**
 * Logging out of who does nothing, in all windows alike: a warning a minute before, then the log-in page, with nothing of a
 * patient left on the screen. Who works without asking the server (scrolling, say) is kept logged in there.
 */
import { reach } from "./api";
import { h } from "./dom";
import { t } from "./words";

const ACTIVE = "charrua-active";
const LEFT = "charrua-left";
const ENTERED = "charrua-entered";
const WARNING_MS = 60_000;
const NOTED_EVERY_MS = 1000;

/** Watch over the session of a page whose body says in `data-idle` after how many seconds it ends; 0: never. */
export function watch(): void {
  const { idle, user } = document.body.dataset;
  if (!user || idle === undefined) return;
  addEventListener("storage", (event) => {
    if (event.key === LEFT) away("left");
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-logout]")) void leave("");
  });
  if (Number(idle)) new Watch(Number(idle) * 1000).begin();
}

class Watch {
  private active = Date.now();
  private renewed = Date.now();
  private warning: HTMLDialogElement | null = null;

  constructor(private readonly idleMs: number) {}

  begin(): void {
    this.note(true);
    for (const name of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
      addEventListener(name, () => this.warning || this.note(), { passive: true, capture: true });
    }
    addEventListener("storage", (event) => {
      if (event.key === ACTIVE) this.active = Math.max(this.active, Number(event.newValue));
    });
    setInterval(() => this.look(), NOTED_EVERY_MS);
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Somebody is there. */
  private note(now = false): void {
    if (!now && Date.now() - this.active < NOTED_EVERY_MS) return;
    this.active = Date.now();
    keep(ACTIVE, String(this.active));
    if (this.active - this.renewed > this.idleMs / 4) void this.renew();
  }

  /** Tell the server; who is no longer logged in there, or is somebody else by now, sees this page no longer. */
  private async renew(): Promise<void> {
    this.renewed = Date.now();
    try {
      const answer = await reach("/whoami", { headers: { Accept: "application/json" } });
      if (!answer.ok || (await answer.json()).name !== document.body.dataset.user) away("left");
    } catch {
      // Without network nothing is known: the clock here goes on.
    }
  }

  private look(): void {
    const left = this.active + this.idleMs - Date.now();
    if (left <= 0) return void leave("idle");
    if (left > Math.min(WARNING_MS, this.idleMs / 2)) return this.calm();
    this.warning ??= this.warn();
    const seconds = Math.ceil(left / 1000);
    const told = this.warning.querySelector("b");
    if (told) told.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  private calm(): void {
    this.warning?.close();
    this.warning = null;
  }

  private warn(): HTMLDialogElement {
    const stay = () => {
      this.calm();
      this.note(true);
      void this.renew();
    };
    const dialog = h(
      "dialog",
      { class: "idle", role: "alertdialog", "aria-label": t("Are you still there?") },
      h(
        "form",
        { method: "dialog", onsubmit: stay },
        h("header", {}, h("h2", {}, t("Are you still there?"))),
        h("div", { class: "body" }, h("p", {}, t("Nothing was done for a while. You will be logged out in"), " ", h("b", {}), ".")),
        h("footer", {}, h("span", { class: "grow" }), h("button", { type: "button", "data-logout": true }, t("Log out")), h("button", { class: "primary" }, t("Stay logged in"))),
      ),
    );
    dialog.addEventListener("cancel", stay);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  }
}

/** Log out here, and so in all windows. */
export async function leave(why: "" | "idle"): Promise<void> {
  document.body.replaceChildren();
  try {
    await fetch("/logout", { method: "POST", keepalive: true });
  } finally {
    // Not sooner: the log-in page would lead other windows back while the session is still there.
    keep(LEFT, String(Date.now()));
    away(why);
  }
}

/** Tell other windows that somebody has logged in. */
export function entered(): void {
  keep(ENTERED, String(Date.now()));
}

/** Go on when somebody has logged in in another window. */
export function whenEntered(go: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === ENTERED) go();
  });
}

/** Go to the log-in page, with nothing left on this one; back to here after it, unless somebody wanted to go. */
function away(why: "" | "idle" | "left"): void {
  document.body.replaceChildren();
  document.title = "Charrua";
  if (why !== "idle") forgetTyped();
  const next = why ? `?why=${why}&next=${encodeURIComponent(location.pathname + location.search)}` : "";
  location.replace(`/login${next}`);
}

/** What dialogs keep of what was typed goes with who wanted to go; who did nothing for a while finds it again. */
function forgetTyped(): void {
  for (const name of Object.keys(sessionStorage)) if (name.startsWith("charrua.")) sessionStorage.removeItem(name);
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing has each window watch for itself.
  }
}
