/** Calls of this server from its own pages: JSON there and back, errors as sentences. */
import { t } from "./words";

/** What went wrong with a call, as a sentence for people. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    sentence: string,
    /** What else the answer said: the field that is wrong, say. */
    readonly told: Record<string, unknown> = {},
  ) {
    super(sentence);
  }
}

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Ask the server; gives the answer's JSON, null where it has none. Throws Problem. */
export async function call<T = unknown>(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const answer = await reach(path, { method, headers, body: sent, signal });
  if (answer.status === 204) return null as T;
  if (!answer.ok) throw await problemOf(answer);
  return (await answer.json()) as T;
}

/** The same as `fetch`, which throws a Problem with a sentence where the server is not reached. */
export async function reach(path: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, t("The archive does not answer. Is this computer still on the network?"));
  }
}

/** The Problem that an answer tells of. Who is no longer logged in is led to the log-in page. */
export async function problemOf(answer: Response): Promise<Problem> {
  let told: Record<string, unknown> = {};
  try {
    told = (await answer.json()) as Record<string, unknown>;
  } catch {
    // An answer that is no JSON came from something before the archive.
  }
  if (answer.status === 401 && !location.pathname.startsWith("/login")) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const sentence = typeof told.detail === "string" ? told.detail : t("The archive answered with status {status}.", { status: answer.status });
  return new Problem(answer.status, capital(sentence), told);
}

/** The sentence of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The sentence with a capital at its beginning. */
export function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
