/** The icons of the viewer: paths of 24 by 24, drawn in the colour of the text. */

const PATHS: Record<string, string> = {
  back: "M15 5l-7 7 7 7",
  window: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  invert: "M4 5h16v14H4zM12 5v14M14 8h4M14 12h4M14 16h4",
  zoom: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM20 20l-4.7-4.7M8 10.5h5M10.5 8v5",
  pan: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  scroll: "M7 8h10v12H7zM9 5h10v12M11 2h10v12",
  magnify: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4M11 8a3 3 0 0 0-3 3",
  length: "M4 20L20 4M3 17l4 4M17 3l4 4M9 13l2 2M13 9l2 2",
  angle: "M20 19H4L15 5M11 19a7 7 0 0 0-2.7-5.5",
  ellipse: "M12 6c5 0 9 2.7 9 6s-4 6-9 6-9-2.7-9-6 4-6 9-6z",
  rectangle: "M4 6h16v12H4z",
  arrow: "M20 4L7 17M7 10v7h7M14 20h6",
  probe: "M12 3v6M12 15v6M3 12h6M15 12h6M12 11.5v1",
  crosshair: "M12 3v18M3 12h18M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  reset: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5",
  grid: "M4 4h16v16H4zM12 4v16M4 12h16",
  presets: "M5 4v16M12 4v16M19 4v16M3 9h4M10 15h4M17 7h4",
  rotate: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4.5h-4.5",
  flip: "M12 3v18M9 7L3 17h6zM15 7l6 10h-6z",
  "flip-over": "M3 12h18M7 9l10-6v6zM7 15l10 6v-6z",
  mpr: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  lines: "M3 7h18M3 12h18M3 17h18M8 3v18",
  text: "M5 6V4h14v2M12 4v16M9 20h6",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.3-1 1-1 2M12 17.5v.1",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  pen: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  star: "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L4 9.8l5.6-.6z",
  quality: "M4 18h4V9H4zM10 18h4V5h-4zM16 18h4v-6h-4z",
};

/** Makes an icon, which says nothing to screen readers: its button has a name. */
export function icon(name: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}
