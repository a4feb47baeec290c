/* Short notices at the page's edge, which a screen reader reads out. */

import { byId, h } from "./dom.js";

const SECONDS = 7;

/**
 * @param {string} text
 * @param {{label: string, act: () => void} | null} [action] a button beside the text
 * @returns {() => void} takes the notice away
 */
export function toast(text, action = null) {
  const notice = h("div", { class: "toast" }, h("span", {}, text));
  const close = () => {
    clearTimeout(timer);
    notice.remove();
  };
  const timer = setTimeout(close, SECONDS * 1000);
  if (action) {
    notice.append(
      h("button", { type: "button", class: "plain", onclick: () => (close(), action.act()) }, action.label),
    );
  }
  byId("toasts").append(notice);
  return close;
}

/**
 * Does something a little later, unless the visitor takes it back meanwhile. What waits is done at once when the page is left.
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
      clearTimeout(timer);
      close();
      outcome();
    }
  };
  const leave = () => end(act);
  const timer = setTimeout(() => end(act), (SECONDS - 1) * 1000);
  const close = toast(text, { label: "Undo", act: () => end(undo) });
  addEventListener("pagehide", leave);
}

/**
 * Something for screen readers alone.
 * @param {string} text
 */
export function announce(text) {
  byId("announcements").textContent = text;
}
