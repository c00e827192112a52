/** What comes by itself: the server says which studies changed, as long as the page is open. */

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

interface Told {
  studies?: string[];
  many?: boolean;
}

/** Follow changes; `state` hears whether they are heard. What may have been missed while they were not counts as a change. */
export function followStudies(changed: (uids: readonly string[]) => void, state: (live: boolean) => void): void {
  let pause = FIRST_PAUSE_MS;
  let first = true;
  const open = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/studies/changes`);
    socket.addEventListener("open", () => {
      pause = FIRST_PAUSE_MS;
      state(true);
      if (!first) changed([]);
      first = false;
    });
    socket.addEventListener("message", (event) => changed((JSON.parse(String(event.data)) as Told).studies ?? []));
    socket.addEventListener("close", () => {
      state(false);
      setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    });
  };
  open();
}
