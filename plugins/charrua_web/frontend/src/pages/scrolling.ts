/** What scrolls sideways can be reached with the keyboard, and cannot where all of it is in sight. */
import { all } from "./dom";

export function reachable(): void {
  const sizes = new ResizeObserver((changed) => {
    for (const { target } of changed) renew(target as HTMLElement);
  });
  for (const element of all(".scroll")) sizes.observe(element);
}

function renew(element: HTMLElement): void {
  if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  else element.removeAttribute("tabindex");
}
