/** The viewer of images. The first image is asked for while Cornerstone still loads. */
import "@fontsource-variable/inter/index.css";
import "../style/charrua.css";
import "../style/viewer.css";
import { watch } from "../pages/session";
import { t } from "../pages/words";
import { byId } from "./dom";
import { open } from "./opening";

async function start(): Promise<void> {
  const [opening, app] = await Promise.all([open(), import("./app")]);
  await app.run(opening);
}

watch();
start().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  const element = byId("viewer-failed");
  element.textContent = t("The viewer could not open this study: {reason}", { reason });
  element.hidden = false;
});
