/* Shows the number of unread notifications, beside their link and in the page's title. */

import { follow } from "./live.js";
import { poll } from "./api.js";
import { isSignedIn, onSession } from "./session.js";

let shown = 0;
let title = "";

/** @param {number} count */
export function showUnread(count) {
  shown = count;
  for (const badge of document.querySelectorAll("[data-unread]")) {
    badge.textContent = count === 0 ? "" : count >= 100 ? "99+" : String(count);
  }
  showTitle(title);
}

/** @param {string} text */
export function showTitle(text) {
  title = text;
  document.title = `${shown > 0 ? `(${shown >= 100 ? "99+" : shown}) ` : ""}${text} · Cruddur`;
}

async function ask() {
  showUnread(isSignedIn() ? (await poll("/api/activities/notifications/unread")).body.unread : 0);
}

export function startBadge() {
  ask().catch(() => {});
  follow(ask, 2);
  onSession(() => showUnread(0));
}
