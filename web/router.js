/*
 * Paths and views. A view is made when its path is opened and paused when it is left; the last views are kept, so that going back
 * shows them as they were, at the same scroll position.
 */

import { byId, h } from "./dom.js";

/**
 * @typedef {object} View
 * @property {string} title
 * @property {HTMLElement} element
 * @property {() => void} [resume] called each time the view is shown
 * @property {() => void} [pause] called when the view is left
 */
/** @typedef {{params: string[], query: URLSearchParams, signal: AbortSignal}} Context */
/** @typedef {(context: Context) => View} MakeView */
/** @typedef {[RegExp, () => Promise<{show: MakeView}>]} Route */
/** @typedef {{view: View, controller: AbortController, scroll: number}} Shown */

const KEPT_MAX = 8;

/** @type {Route[]} */
let routes = [];

/** By the number of the history's entry. @type {Map<number, Shown>} */
const keptViews = new Map();

/** @type {Shown | null} */
let current = null;
let entry = 0;
let lastEntry = 0;

/** @type {(title: string) => void} */
let onShown = () => {};

/**
 * @param {Route[]} table
 * @param {string} path what to show first
 * @param {(title: string) => void} listener
 */
export function startRouter(table, path, listener) {
  routes = table;
  onShown = listener;
  history.scrollRestoration = "manual";
  lastEntry = Number(history.state?.entry ?? 0);
  entry = lastEntry;
  history.replaceState({ entry }, "", path);
  addEventListener("popstate", (event) => {
    if (event.state === null) {
      history.replaceState({ entry }, ""); // a link to a place on this page, such as the one that skips the navigation
      return;
    }
    leave();
    entry = Number(event.state.entry ?? 0);
    lastEntry = Math.max(lastEntry, entry);
    open(keptViews.get(entry));
  });
  document.addEventListener("click", clicked);
  return open();
}

/** @param {MouseEvent} event */
function clicked(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
    return;
  }
  const isElsewhere = link.origin !== location.origin || link.target !== "" || link.hasAttribute("download") || link.pathname.startsWith("/api/");
  if (!isElsewhere && !(link.hash && link.pathname === location.pathname)) {
    event.preventDefault();
    navigate(link.pathname + link.search);
  }
}

/** @param {string} path */
export function navigate(path) {
  leave();
  lastEntry += 1;
  entry = lastEntry;
  history.pushState({ entry }, "", path);
  return open();
}

/** Makes the view again and drops the kept ones, for example after a sign-in or sign-out. */
export function reload() {
  leave();
  keptViews.forEach((shown) => shown.controller.abort());
  keptViews.clear();
  return open();
}

function leave() {
  if (current) {
    current.scroll = scrollY;
    current.view.pause?.();
    keptViews.set(entry, current);
    for (const [number, shown] of keptViews) {
      if (keptViews.size > KEPT_MAX) {
        shown.controller.abort();
        keptViews.delete(number);
      }
    }
    current = null;
  }
}

/** @param {Shown} [shown] a view that is kept */
async function open(shown) {
  const isKept = shown !== undefined;
  const opened = entry;
  shown ??= await make().catch(unloaded);
  if (opened !== entry || current) {
    return; // the visitor has opened another path meanwhile
  }
  current = shown;
  byId("main").replaceChildren(shown.view.element);
  shown.view.resume?.();
  scrollTo(0, isKept ? shown.scroll : 0);
  onShown(shown.view.title);
  byId("main").querySelector("h1")?.focus({ preventScroll: true });
}

/** @returns {Promise<Shown>} */
async function make() {
  const url = new URL(location.href);
  const controller = new AbortController();
  for (const [pattern, load] of routes) {
    const match = pattern.exec(url.pathname);
    if (match) {
      const params = match.slice(1).map(decoded);
      const { show } = await load();
      return { view: show({ params, query: url.searchParams, signal: controller.signal }), controller, scroll: 0 };
    }
  }
  return plain("Nothing is here", "There is no such page. ", h("a", { href: "/" }, "Go home"));
}

/**
 * The view in place of one that cannot be loaded, because the browser has no connection or a file is missing.
 * @param {unknown} error
 */
function unloaded(error) {
  console.error(error);
  const retry = h("button", { type: "button", class: "main", onclick: () => location.reload() }, "Try again");
  return plain("This page did not load", "Cruddur does not answer, or you are offline. ", retry);
}

/**
 * A view with a heading, a sentence, and a way on.
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement} way
 * @returns {Shown}
 */
function plain(title, text, way) {
  const element = h("div", { class: "view" }, h("h1", { tabindex: -1 }, title), h("p", {}, text, way));
  return { view: { title, element }, controller: new AbortController(), scroll: 0 };
}

/** @param {string | undefined} text */
function decoded(text) {
  try {
    return decodeURIComponent(text ?? "");
  } catch {
    return text ?? "";
  }
}

/**
 * Gives a view another title. A view that was left shows it when the visitor comes back.
 * @param {HTMLElement} element of the view
 * @param {string} title
 */
export function rename(element, title) {
  const renamed = [current, ...keptViews.values()].find((shown) => shown?.view.element === element);
  if (renamed) {
    renamed.view.title = title;
  }
  if (renamed && renamed === current) {
    onShown(title);
  }
}
