/* The page: its frame, its routes, and the order in which everything starts. */

import { suggestions, trendList } from "./aside.js";
import { avatar } from "./avatar.js";
import { showTitle, startBadge } from "./badge.js";
import { startClock } from "./clock.js";
import { byId, h, icon } from "./dom.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { reload, startRouter } from "./router.js";
import { onSession, ownHandle, signIn, startSession } from "./session.js";
import { applyTheme } from "./storage.js";
import { userPath } from "./text.js";

/** @type {import("./router.js").Route[]} */
const ROUTES = [
  [/^\/(following)?$/, () => import("./views/home.js")],
  [/^\/notifications$/, () => import("./views/notifications.js")],
  [/^\/messages$/, () => import("./views/messages.js")],
  [/^\/messages\/([^/]+)$/, () => import("./views/conversation.js")],
  [/^\/search$/, () => import("./views/search.js")],
  [/^\/growth$/, () => import("./views/growth.js")],
  [/^\/settings$/, () => import("./views/settings.js")],
  [/^\/@([^/]+)$/, () => import("./views/user.js")],
  [/^\/@([^/]+)\/status\/([0-9A-Fa-f-]{36})(?:\/(likes|reposts))?$/, () => import("./views/thread.js")],
];

const LINKS = [
  ["/", "home", "Home"],
  ["/following", "following", "Following"],
  ["/search", "search", "Explore"],
  ["/notifications", "bell", "Notifications"],
  ["/messages", "mail", "Messages"],
];

function showNavigation() {
  const handle = ownHandle();
  byId("navigation").replaceChildren(
    ...LINKS.map(([path, name, label]) =>
      h("a", { href: path, title: label }, icon(name), h("span", { class: "label" }, label), path === "/notifications" && h("span", { class: "badge", "data-unread": true })),
    ),
  );
  byId("account").replaceChildren(
    handle === null
      ? h("button", { type: "button", class: "main", onclick: signIn }, "Sign in")
      : h("a", { href: userPath(handle), class: "own" }, avatar(handle), h("span", { class: "label" }, h("bdi", {}, `@${handle}`))),
    h("a", { href: "/settings", class: "icon-button", "aria-label": "Settings", title: "Settings" }, icon("settings")),
  );
}

function markCurrent() {
  for (const link of document.querySelectorAll("header a")) {
    if (link instanceof HTMLAnchorElement) {
      link.ariaCurrent = link.pathname === location.pathname ? "page" : null;
    }
  }
}

function showAside() {
  byId("trends").replaceChildren(trendList());
  byId("suggestions").replaceChildren(suggestions());
}

async function start() {
  applyTheme();
  const path = await startSession();
  showNavigation();
  showAside();
  onSession(() => {
    showNavigation();
    reload();
  });
  startClock();
  startKeys();
  await startRouter(ROUTES, path, (title) => {
    showTitle(title);
    markCurrent();
  });
  startLive();
  startBadge();
}

start().catch((error) => {
  console.error(error);
  byId("main").replaceChildren(h("h1", {}, "Cruddur does not start"), h("p", {}, `Load the page again. (${error.message})`));
});
