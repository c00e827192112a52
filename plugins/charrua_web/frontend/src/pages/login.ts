/** The page at which people log in: what went wrong as a sentence, and how long to wait after too many wrong passwords. */
import { Problem, call, sentenceOf } from "./api";
import { one } from "./dom";
import { entered, whenEntered } from "./session";
import { t } from "./words";

interface Who {
  must_change_password: boolean;
}

export function start(page: HTMLElement): void {
  const form = one<HTMLFormElement>("form", page);
  const next = form.dataset.next ?? "/";
  one<HTMLInputElement>("input[name=name]", form).focus();
  whenEntered(() => location.assign(next));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void logIn(form, next);
  });
}

async function logIn(form: HTMLFormElement, next: string): Promise<void> {
  const button = one<HTMLButtonElement>("button", form);
  const given = new FormData(form);
  button.disabled = true;
  tell(form, "");
  try {
    const who = await call<Who>("POST", "/login", { name: given.get("name"), password: given.get("password") });
    entered();
    location.assign(who.must_change_password ? `/password?next=${encodeURIComponent(next)}` : next);
  } catch (error) {
    one<HTMLInputElement>("input[name=password]", form).select();
    const seconds = error instanceof Problem ? Number(error.told.retry_after_s ?? 0) : 0;
    if (seconds) return wait(form, button, seconds);
    tell(form, sentenceOf(error));
    button.disabled = false;
  }
}

/** Count down until the next try. */
function wait(form: HTMLFormElement, button: HTMLButtonElement, seconds: number): void {
  const until = Date.now() + seconds * 1000;
  const step = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left > 0) return tell(form, t("Too many wrong passwords. Try again in {time}.", { time: span(left) }));
    clearInterval(counting);
    tell(form, "");
    button.disabled = false;
  };
  const counting = setInterval(step, 1000);
  step();
}

/** Seconds as minutes and seconds: 4:05. */
export function span(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function tell(form: HTMLFormElement, sentence: string): void {
  const wrong = one(".wrong", form);
  wrong.textContent = sentence;
  wrong.hidden = !sentence;
}
