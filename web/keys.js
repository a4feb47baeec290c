/* Single-key commands, which a setting turns off (WCAG 2.1.4). */

import { byId } from "./dom.js";
import { navigate } from "./router.js";
import { load } from "./storage.js";

/** @type {Record<string, () => unknown>} */
const COMMANDS = {
  j: () => step(1),
  k: () => step(-1),
  l: () => press("like"),
  b: () => press("repost"),
  r: () => press("reply"),
  n: () => write(),
  h: () => navigate("/"),
  f: () => navigate("/following"),
  m: () => navigate("/messages"),
  "/": () => search(),
  "?": () => /** @type {HTMLDialogElement} */ (byId("help")).showModal(),
};

/** @param {number} by */
function step(by) {
  const rows = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#main article"))].filter((row) => row.offsetParent !== null);
  const index = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[index < 0 ? 0 : Math.min(Math.max(index + by, 0), rows.length - 1)];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

/** @param {string} name */
function press(name) {
  const row = document.activeElement?.closest("article");
  /** @type {HTMLElement | null | undefined} */ (row?.querySelector(`[data-part="${name}"]`))?.click();
}

async function write() {
  if (!document.querySelector("#main textarea")) {
    await navigate("/");
  }
  /** @type {HTMLElement | null} */ (document.querySelector("#main textarea"))?.focus();
}

async function search() {
  await navigate("/search");
  byId("search-term")?.focus();
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.ctrlKey || event.metaKey || event.altKey || load("keys") === false || target.closest("input, textarea, select, dialog")) {
      return;
    }
    const command = COMMANDS[event.key];
    if (command) {
      event.preventDefault();
      command();
    }
  });
}
