/** The links that somebody looks after: revoking one, and having it back. */
import { call, sentenceOf } from "./api";
import { all } from "./dom";
import { toast } from "./toast";
import { t } from "./words";
import "../style/share.css";

export function start(page: HTMLElement): void {
  for (const row of all("[data-share]", page)) {
    row.querySelector("[data-revoke]")?.addEventListener("click", () => void revoke(row.dataset.share ?? "").then(() => location.reload(), report));
  }
  const told = sessionStorage.getItem("revoked");
  sessionStorage.removeItem("revoked");
  if (told) offerBack(told, () => location.reload());
}

async function revoke(share: string): Promise<void> {
  await call("DELETE", `/shares/${share}`);
  sessionStorage.setItem("revoked", share);
}

/** Say that a link was revoked, with the way back. */
export function offerBack(share: string, then: () => void): void {
  const undo = async () => {
    await call("POST", `/shares/${share}/restore`);
    then();
  };
  toast(t("The link is revoked: who came by it sees nothing any more."), { undo });
}

function report(error: unknown): void {
  toast(sentenceOf(error), { kind: "bad" });
}
