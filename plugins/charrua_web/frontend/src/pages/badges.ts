/** The numbers at icons of the rail: how many jobs have failed, say. */
import { call } from "./api";
import { all } from "./dom";

const EVERY_MS = 30_000;

/** Keep them up to date while the page is looked at. */
export function follow(): void {
  const badges = all("[data-badge]");
  if (!badges.length) return;
  const renew = () => {
    if (document.visibilityState === "visible") for (const badge of badges) void count(badge);
  };
  renew();
  setInterval(renew, EVERY_MS);
  document.addEventListener("visibilitychange", renew);
}

async function count(badge: HTMLElement): Promise<void> {
  try {
    const { count } = await call<{ count: number }>("GET", badge.dataset.badge ?? "");
    badge.textContent = count > 99 ? "99+" : String(count);
    badge.hidden = count === 0;
  } catch {
    badge.hidden = true;
  }
}
