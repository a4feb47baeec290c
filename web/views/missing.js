/* The view for an unknown path. */

import { h } from "../dom.js";
import { heading } from "./feed.js";

/** @type {import("../router.js").MakeView} */
export function show() {
  const element = h("div", { class: "view" }, heading("Nothing is here"), h("p", {}, "There is no such page. ", h("a", { href: "/" }, "Go home")));
  return { title: "Not found", element };
}
