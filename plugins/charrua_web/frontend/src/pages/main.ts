/** What all pages run. */
import "@fontsource-variable/inter/index.css";
import "../style/charrua.css";

export {};
