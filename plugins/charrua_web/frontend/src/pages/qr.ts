/** A QR code as an SVG element, for phones that read it from the screen. */
import qrcode from "qrcode-generator";

const SVG = "http://www.w3.org/2000/svg";
const QUIET = 4; // modules of white around it (ISO/IEC 18004)

/** The code of a text; `label` is what it is called. */
export function qrCode(text: string, label: string): SVGSVGElement {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const side = code.getModuleCount();
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `${-QUIET} ${-QUIET} ${side + 2 * QUIET} ${side + 2 * QUIET}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const dark = document.createElementNS(SVG, "path");
  let drawn = "";
  for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) if (code.isDark(row, column)) drawn += `M${column} ${row}h1v1h-1z`;
  dark.setAttribute("d", drawn);
  svg.append(dark);
  return svg;
}
