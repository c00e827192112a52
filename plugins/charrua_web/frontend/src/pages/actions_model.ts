/** What the archive tells of a study for its dialogs, and how names and dates are shown. */
import { call } from "./api";
import { t } from "./words";

export interface Field {
  keyword: string;
  name: string;
  vr: string;
  level: string;
  value: string;
  main: boolean;
}

export interface Series {
  series: string;
  number: string;
  modality: string;
  description: string;
  institution: string;
  images: number;
}

export interface Study {
  study: string;
  status: string;
  statuses: string[];
  whole: boolean;
  fields: Field[];
  series_fields: Field[];
  series: Series[];
  patient_studies: number;
}

export interface Change {
  keyword: string;
  name: string;
  vr: string;
  before: string;
  after: string;
  series?: string;
}

/** What came of an action. */
export interface Answer {
  edits: string[];
  study?: string;
  changes?: Change[];
}

export function studyOf(uid: string): Promise<Study> {
  return call<Study>("GET", `/actions/studies/${encodeURIComponent(uid)}`);
}

/** The value of an attribute. */
export function valueOf(study: Study, keyword: string): string {
  return study.fields.find((one) => one.keyword === keyword)?.value ?? "";
}

/** A person's name as people read it: family, given. */
export function shownName(name: string): string {
  const [family = "", given = "", middle = ""] = (name.split("=").find((group) => group) ?? "").split("^");
  const rest = [given, middle].filter(Boolean).join(" ");
  return [family, rest].filter(Boolean).join(", ") || t("no name");
}

/** A name with all its parts and forms: family, given, titles. */
export function wholeName(name: string): string {
  const forms = name.split("=").map((group) => {
    const [family = "", given = "", middle = "", prefix = "", suffix = ""] = group.split("^");
    return [family, [given, middle].filter(Boolean).join(" "), prefix, suffix].filter(Boolean).join(", ");
  });
  return forms.filter(Boolean).join(" / ");
}

/** A date as the reader's locale writes it. */
export function shownDate(date: string): string {
  const found = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(date);
  if (!found) return date;
  const [, year, month, day] = found.map(Number);
  const locale = document.documentElement.lang || undefined;
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(Date.UTC(year!, month! - 1, day)));
}

/** Patient and study in a line. */
export function lineOf(study: Study): string {
  const modalities = [...new Set(study.series.map((one) => one.modality).filter(Boolean))].join(" ");
  const parts = [shownName(valueOf(study, "PatientName")), valueOf(study, "PatientID"), modalities];
  return [...parts, valueOf(study, "StudyDescription"), shownDate(valueOf(study, "StudyDate"))].filter(Boolean).join(" · ");
}

/** A series in a line. */
export function seriesLine(one: Series): string {
  const images = one.images === 1 ? t("1 image") : t("{n} images", { n: one.images });
  return [one.number, one.modality, one.description || t("no description"), images].filter(Boolean).join(" · ");
}

/** The word of a status. */
export function statusWord(status: string): string {
  const words: Record<string, string> = {
    UNREAD: t("unread"), PRELIMINARY: t("preliminary"), DICTATED: t("dictated"), TRANSCRIBED: t("transcribed"), FINAL: t("final"),
  };
  return words[status] ?? status;
}
