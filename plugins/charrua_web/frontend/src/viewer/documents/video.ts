/** Videos as they are stored, played by the browser where it can; it fetches the parts that it plays. */
import { t } from "../../pages/words";
import { number } from "../dataset";
import { make } from "../dom";
import { pathOf, type Instance } from "../model";
import { saveLink, sentenceIn, words, type Sheet } from "./sheet";

/** The media types of streams → what people call them, and how their files end. */
const STREAMS: Record<string, [name: string, suffix: string]> = {
  "video/mp4": ["MP4", "mp4"],
  "video/mpeg": ["MPEG-2", "mpg"],
  "video/mp2t": ["MPEG-TS", "ts"],
};

/** Shows a video with controls; says why where the browser has no player for it. */
export async function showVideo({ bar, body }: Sheet, instance: Instance): Promise<void> {
  const address = `${pathOf(instance)}/rendered?accept=${encodeURIComponent("video/*")}`;
  const mediaType = await mediaTypeOf(address);
  const [name, suffix] = STREAMS[mediaType] ?? ["", "mp4"];
  const save = (): HTMLAnchorElement => saveLink(address, words.save(), `${instance.uid}.${suffix}`);
  bar.append(save());
  const video = make("video", { controls: true, playsinline: true, preload: "metadata", loop: true, tabindex: 0 });
  const fail = (): void => sentenceIn(body, unplayable(name), still(instance), save());
  if (!video.canPlayType(mediaType)) return fail();
  video.addEventListener("error", fail);
  video.addEventListener("keydown", (event) => step(video, event, 1 / (number(instance.data, "00180040") || 25)));
  video.src = address;
  body.replaceChildren(video);
}

/** What the archive has: asked without having it sent. Throws where it has no video. */
async function mediaTypeOf(address: string): Promise<string> {
  const answer = await fetch(address, { method: "HEAD" });
  if (!answer.ok) throw new Error(t("The archive has no picture of this object."));
  return (answer.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
}

function unplayable(name: string): string {
  return name
    ? t("This browser has no player for {name} video. The first picture is below; save the video to play it in another program.", { name })
    : t("This browser cannot play this video. Save it to play it in another program.");
}

function still(instance: Instance): HTMLImageElement {
  const image = make("img", { alt: t("First picture of the video"), src: `${pathOf(instance)}/rendered?accept=image/jpeg` });
  image.addEventListener("error", () => image.remove());
  return image;
}

/** The full stop goes a picture on, the comma one back, as players have it. */
function step(video: HTMLVideoElement, event: KeyboardEvent, seconds: number): void {
  const way = event.key === "." ? 1 : event.key === "," ? -1 : 0;
  if (!way) return;
  event.preventDefault();
  event.stopPropagation();
  video.pause();
  video.currentTime += way * seconds;
}
