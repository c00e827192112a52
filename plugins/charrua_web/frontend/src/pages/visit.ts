/** What a visitor sees: pictures that cannot be made give way to a symbol, and the visit can be left. */
import { call } from "./api";
import { all, icon } from "./dom";
import "../style/visit.css";

export function start(page: HTMLElement): void {
  for (const picture of all<HTMLImageElement>(".visit-series img", page)) {
    const instead = () => {
      const symbol = icon("pdf");
      symbol.classList.add("no-picture");
      picture.replaceWith(symbol);
    };
    picture.addEventListener("error", instead);
    if (picture.complete && !picture.naturalWidth) instead();
  }
  for (const button of all("[data-leave]", page)) {
    button.addEventListener("click", () => void call("POST", "/logout").then(() => location.reload()));
  }
}
