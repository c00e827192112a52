/** Studies to take away: as a ZIP archive or as the image of a disc, with a DICOMDIR and a light viewer. */
import { call } from "./api";
import { ask } from "./dialog";
import { h } from "./dom";
import { toast } from "./toast";
import { bytes, number } from "./upload/units";
import { t } from "./words";

interface Choices {
  studies: number;
  objects: number;
  bytes: number;
  every: number;
  fits: boolean;
  download: boolean;
  disc: boolean;
}

const CD = 700e6;
const DVD = 4.7e9;

/** Ask in which form, and download these studies. */
export async function download(uids: readonly string[]): Promise<void> {
  const query = uids.map((uid) => `study=${encodeURIComponent(uid)}`).join("&");
  let choices: Choices;
  try {
    choices = await call<Choices>("GET", `/download/choices?${query}`);
  } catch (error) {
    return toast(error instanceof Error ? error.message : String(error), { kind: "bad" });
  }
  await ask({ title: t("Download"), content: content(choices), confirm: choices.fits && (choices.download || choices.disc) ? t("Download") : undefined, act: (form) => begin(form, query) });
}

function content(choices: Choices): Node[] {
  const size = h("p", {}, sizeOf(choices));
  if (!choices.fits) return [size, h("p", { class: "wrong" }, t("This is more than one download may be. Choose fewer studies."))];
  if (!choices.download && !choices.disc) return [size, h("p", { class: "wrong" }, t("Downloads are switched off in this archive."))];
  const forms = h("fieldset", { class: "fields-in" }, h("legend", {}, t("Form")));
  if (choices.download) forms.append(radio("form", "download", t("ZIP archive"), t("Open INDEX.HTM in it to look at the images, or DICOMDIR with a DICOM program."), true));
  if (choices.disc) forms.append(radio("form", "disc", t("Image of a CD or DVD"), t("{fits} It is made first, and the download begins when it is done.", { fits: fits(choices.bytes) }), !choices.download));
  const syntaxes: [string, string][] = [
    ["stored", t("As they are stored")],
    ["explicit", t("Uncompressed, for any device (STD-GEN-CD)")],
    ["jpeg", t("JPEG, or uncompressed (STD-GEN-DVD-JPEG)")],
    ["jpeg2000", t("JPEG 2000, or uncompressed (STD-GEN-DVD-J2K)")],
  ];
  const select = h("select", { name: "syntax" }, ...syntaxes.map(([value, word]) => h("option", { value }, word)));
  const files = h("label", { class: "field" }, h("span", {}, t("DICOM files")), select);
  const thinned = choices.every > 1 ? t("The light viewer shows one of {every} images; the DICOM files are complete.", { every: choices.every }) : "";
  return [size, forms, files, ...(thinned ? [h("p", {}, thinned)] : [])];
}

function sizeOf(choices: Choices): string {
  const told = { studies: number(choices.studies), objects: number(choices.objects), bytes: bytes(choices.bytes) };
  if (choices.studies > 1) return t("{studies} studies, {objects} objects, {bytes}", told);
  return choices.objects > 1 ? t("{objects} objects, {bytes}", told) : t("One object, {bytes}", told);
}

function fits(size: number): string {
  if (size < CD * 0.9) return t("It fits on a CD.");
  return size < DVD * 0.9 ? t("It fits on a DVD.") : t("It is too large for a DVD: use a medium that holds it.");
}

function radio(name: string, value: string, word: string, hint: string, checked: boolean): HTMLElement {
  return h("label", { class: "tick" }, h("input", { type: "radio", name, value, checked }), h("span", {}, word, h("small", {}, hint)));
}

async function begin(form: FormData, query: string): Promise<void> {
  const link = h("a", { href: `/${form.get("form")}?${query}&syntax=${form.get("syntax")}`, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
  toast(form.get("form") === "disc" ? t("The disc image is being made; the download begins by itself.") : t("The download begins."));
}
