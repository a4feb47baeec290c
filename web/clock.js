/* The server's time, and what depends on it: relative times, the time that a post has left, and its expiry. */

import { h } from "./dom.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YOUNG = 5_000;

const exact = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });

/*
 * The server's clock is ahead of this machine's by aheadMin to aheadMax ms. An answer's Date is rounded down to the second: when the
 * answer was made, the server's time was at least Date and less than Date + 1 s.
 */
let aheadMin = -Infinity;
let aheadMax = Infinity;

/**
 * Narrows both limits by the Date of an answer.
 * @param {string | null} date
 * @param {number} sent when the request was sent, in ms of this machine's clock
 */
export function learnTime(date, sent) {
  const time = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(time)) {
    return;
  }
  aheadMin = Math.max(aheadMin, time - Date.now());
  aheadMax = Math.min(aheadMax, time + 1000 - sent);
  if (aheadMin > aheadMax) {
    // This machine's clock was set meanwhile.
    aheadMin = time - Date.now();
    aheadMax = time + 1000 - sent;
  }
}

/** The server's time in ms. If the clocks may agree, it is this machine's. */
function now() {
  return Date.now() + Math.min(Math.max(0, aheadMin), aheadMax);
}

/**
 * Whether something is so new that another host may not have it yet.
 * @param {string} time
 */
export function isYoung(time) {
  return now() - Date.parse(time) < YOUNG;
}

/**
 * "now", "5 min", "3 h", "2 d", "21 Nov".
 * @param {number} time
 */
function ago(time) {
  const passed = now() - time;
  if (passed < MINUTE) {
    return "now";
  }
  if (passed < HOUR) {
    return `${Math.floor(passed / MINUTE)} min`;
  }
  if (passed < DAY) {
    return `${Math.floor(passed / HOUR)} h`;
  }
  if (passed < 7 * DAY) {
    return `${Math.floor(passed / DAY)} d`;
  }
  return (passed < 300 * DAY ? day : dayOfYear).format(time);
}

/**
 * "6 d left", "59:07 left".
 * @param {number} expiresAt
 */
function left(expiresAt) {
  const rest = Math.max(0, expiresAt - now());
  if (rest >= 2 * DAY) {
    return `${Math.round(rest / DAY)} d left`;
  }
  if (rest >= HOUR) {
    return `${Math.round(rest / HOUR)} h left`;
  }
  const seconds = Math.ceil(rest / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}

/** @param {string | null} time */
export function exactTime(time) {
  return time === null ? "never" : exact.format(new Date(time));
}

/**
 * A relative time, with the exact one as its title.
 * @param {string} time
 */
export function timeElement(time) {
  const element = h("time", { datetime: time, title: exactTime(time) });
  element.textContent = ago(Date.parse(time));
  return element;
}

/** Each second, updates all elements that depend on the time. A view has a few hundred at most. */
export function startClock() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    write(element, ago(Date.parse(element.getAttribute("datetime") ?? "")));
  }
  for (const element of document.querySelectorAll("[data-expires]")) {
    const post = /** @type {HTMLElement} */ (element);
    (Number(post.dataset.expires) <= now() ? expire : showLife)(post);
  }
  setTimeout(startClock, 1000 - (now() % 1000));
}

/**
 * Fires an "expired" event at an element whose content is gone.
 * @param {HTMLElement} element
 */
export function expire(element) {
  element.dispatchEvent(new CustomEvent("expired", { bubbles: true }));
}

/**
 * Makes an element show the time that its content has left, and expire with it. data-expires and data-created are in ms.
 * @param {HTMLElement} element
 * @param {{created_at: string, expires_at: string | null}} row
 */
export function setLife(element, row) {
  if (row.expires_at === null) {
    delete element.dataset.expires;
    return;
  }
  element.dataset.expires = String(Date.parse(row.expires_at));
  element.dataset.created = String(Date.parse(row.created_at));
  showLife(element);
}

/** @param {HTMLElement} element */
function showLife(element) {
  const expiresAt = Number(element.dataset.expires);
  const rest = expiresAt - now();
  for (const life of element.querySelectorAll("[data-life]")) {
    write(life, left(expiresAt));
  }
  element.style.setProperty("--life", String(Math.min(1, rest / Math.max(1, expiresAt - Number(element.dataset.created)))));
  element.classList.toggle("is-ending", rest < HOUR);
}

/**
 * @param {Element} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
