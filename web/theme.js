/* Light, dark, or as the system has it. */

import { load } from "./storage.js";

export function applyTheme() {
  const theme = load("theme");
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
}
