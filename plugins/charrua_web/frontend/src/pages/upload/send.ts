/** One request with a body whose way can be followed, and what may come of it. */
import { t } from "../words";

export interface Answer {
  status: number;
  told: Record<string, unknown>;
  offset: number;
}

/** The archive was not reached, or the request broke off: to be tried again. */
export class Lost extends Error {}

/** Nothing more can be sent until somebody does something: the sentence says what. */
export class Halted extends Error {}

/** Send it; `progress` is told how many bytes have left. Throws Lost, Halted, and an AbortError when `signal` says so. */
export function send(
  method: string,
  path: string,
  body: XMLHttpRequestBodyInit,
  signal: AbortSignal,
  options: { headers?: Record<string, string>; progress?: (sent: number) => void } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(options.headers ?? {})) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => options.progress?.(event.loaded);
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    const end = () => signal.removeEventListener("abort", abort);
    request.onabort = () => (end(), reject(new DOMException("stopped", "AbortError")));
    request.onerror = () => (end(), reject(new Lost()));
    request.onload = () => {
      end();
      try {
        resolve(judged(request));
      } catch (error) {
        reject(error);
      }
    };
    if (signal.aborted) return reject(new DOMException("stopped", "AbortError"));
    request.send(body);
  });
}

function judged(request: XMLHttpRequest): Answer {
  const { status } = request;
  let told: Record<string, unknown> = {};
  try {
    told = JSON.parse(request.responseText || "{}");
  } catch {
    // something before the archive has answered
  }
  const sentence = typeof told.detail === "string" ? told.detail.charAt(0).toUpperCase() + told.detail.slice(1) : "";
  if (status === 401) throw new Halted(t("Your session has ended. Log in in another tab, then go on here."));
  if (status === 403) throw new Halted(sentence || t("You may not upload."));
  if (status === 507) throw new Halted(`${sentence}. ${t("Tell the administrator, and go on when there is room.")}`);
  if (status === 408 || status === 429 || status >= 500) throw new Lost(sentence);
  return { status, told, offset: Number(request.getResponseHeader("Upload-Offset") ?? 0) };
}
