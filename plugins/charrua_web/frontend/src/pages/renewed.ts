/** Parts of a page as the server has them now: fetched with the page and put in the place of the old ones. */
import { problemOf, reach } from "./api";

/** Renew the parts of these ids. A part that the page has no more is taken out, and focus stays where it was. */
export async function renew(...ids: string[]): Promise<void> {
  const answer = await reach(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw await problemOf(answer);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.id;
  for (const id of ids) {
    const old = document.getElementById(id);
    const now = page.getElementById(id);
    if (old && now) old.replaceWith(document.importNode(now, true));
    else if (old) old.remove();
    else if (now) document.getElementById(now.dataset.in ?? "")?.append(document.importNode(now, true));
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
