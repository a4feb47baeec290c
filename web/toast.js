/* Short notices at the page's edge, which a screen reader reads out. */

import { byId, h } from "./dom.js";

const SECONDS = 7;

/**
 * A notice that disappears after a while, but not while the pointer is over it or the focus in it (WCAG 2.2.1).
 * @param {string} text
 * @param {{label: string, act: () => void} | null} [action] a button beside the text
 * @param {() => void} [onEnd] its time is over
 * @returns {() => void} removes the notice
 */
export function toast(text, action = null, onEnd = () => {}) {
  let timer = 0;
  const close = () => {
    clearTimeout(timer);
    notice.remove();
  };
  /** What keeps the notice: the pointer, the focus. @type {Set<string>} */
  const holds = new Set();
  const start = () => {
    clearTimeout(timer);
    if (holds.size === 0) {
      timer = setTimeout(() => (close(), onEnd()), SECONDS * 1000);
    }
  };
  const hold = (/** @type {string} */ what) => () => (holds.add(what), start());
  const letGo = (/** @type {string} */ what) => () => (holds.delete(what), start());
  const notice = h(
    "div",
    { class: "toast", onmouseenter: hold("pointer"), onmouseleave: letGo("pointer"), onfocusin: hold("focus"), onfocusout: letGo("focus") },
    h("span", {}, text),
    action && h("button", { type: "button", class: "plain", onclick: () => (close(), action.act()) }, action.label),
  );
  byId("toasts").append(notice);
  start();
  return close;
}

/**
 * Calls act a little later, unless the visitor undoes it meanwhile. When the page is left, act is called at once.
 * @param {string} text
 * @param {() => void} act
 * @param {() => void} undo
 */
export function toastWithUndo(text, act, undo) {
  let isOver = false;
  /** @param {() => void} outcome */
  const end = (outcome) => {
    if (!isOver) {
      isOver = true;
      removeEventListener("pagehide", leave);
      close();
      outcome();
    }
  };
  const leave = () => end(act);
  const close = toast(text, { label: "Undo", act: () => end(undo) }, leave);
  addEventListener("pagehide", leave);
}

/**
 * Shows a text to screen readers only.
 * @param {string} text
 */
export function announce(text) {
  byId("announcements").textContent = text;
}
