/* Polls while the page is visible: at intervals or, while a stream of events is alive, when an event reports a change. */

import { ApiError, nextPage, poll } from "./api.js";
import { config } from "./session.js";
import { Stream } from "./stream.js";

const SECONDS = 5;
const LAG = 1000; // ms after an event in which another host may still answer with an older page

/** @typedef {{path: string, isNews: (data: any) => boolean}} Events a stream, and which of its events cause a poll */
/** @typedef {{ask: () => Promise<void>, every: number, isBusy: boolean, told: number, asked: number, turn: number, stream: Stream | null}} Follower */

/** @type {Set<Follower>} */
const followers = new Set();

/**
 * @param {() => Promise<void>} ask may fail: the next turn repeats it
 * @param {number} [every] in turns
 * @param {Events} [events]
 * @returns {() => void} ends the polls
 */
export function follow(ask, every = 1, events) {
  /** @type {Follower} */
  const follower = { ask, every, isBusy: false, told: -Infinity, asked: -Infinity, turn: 0, stream: null };
  if (events) {
    follower.stream = new Stream(events.path, (data) => events.isNews(data) && tell(follower));
  }
  followers.add(follower);
  setStreams();
  return () => {
    followers.delete(follower);
    follower.stream?.stop();
  };
}

/**
 * resume() and pause() of a view that loads its content, and then polls while it is shown.
 * @param {() => void} load
 * @param {() => Promise<void>} ask
 */
export function followed(load, ask) {
  /** @type {(() => void) | null} */
  let stop = null;
  return {
    resume: () => {
      load();
      stop ??= follow(ask);
    },
    pause: () => {
      stop?.();
      stop = null;
    },
  };
}

/**
 * A function that runs once at a time: a call during a run returns that run's promise.
 * @param {() => Promise<void>} act
 */
export function oneAtATime(act) {
  /** @type {Promise<void> | null} */
  let running = null;
  return () => (running ??= act().finally(() => (running = null)));
}

/**
 * Whether the same request may succeed later.
 * @param {unknown} error
 */
export function isPassing(error) {
  return !(error instanceof ApiError) || error.isAway || error.status === 429 || error.status >= 500;
}

/**
 * Polls a page and all further ones: the changes since the last poll may be more than a page.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<{pages: any[], headers: Headers}>} the bodies, and the headers of the first answer
 */
export async function pollPages(path, signal) {
  const { body, headers } = await poll(path, signal);
  const pages = [body];
  for (let next = nextPage(headers); next !== null; ) {
    const answer = await poll(next, signal);
    pages.push(answer.body);
    next = nextPage(answer.headers);
  }
  return { pages, headers };
}

/** Polls for all followers at once. */
export function nudge() {
  followers.forEach((follower) => {
    follower.turn = 0;
    askFor(follower);
  });
}

function interval() {
  return (config.poll_seconds ?? SECONDS) * 1000;
}

function isSeen() {
  return document.visibilityState === "visible";
}

/** A browser has few connections for a site, so a page that is not visible has no stream. */
function setStreams() {
  followers.forEach(({ stream }) => (isSeen() ? stream?.start() : stream?.stop()));
}

/**
 * Handles an event that reports a change. Events may come quickly: they do not poll more often than the timer would.
 * @param {Follower} follower
 */
function tell(follower) {
  follower.told = performance.now();
  if (follower.told - follower.asked >= interval()) {
    askFor(follower);
  }
}

/** @param {Follower} follower */
async function askFor(follower) {
  if (follower.isBusy) {
    return;
  }
  follower.isBusy = true;
  follower.asked = performance.now();
  try {
    await follower.ask();
  } catch {
    // The service is away, or the view was left: the next turn polls again.
    follower.told = performance.now();
  } finally {
    follower.isBusy = false;
  }
}

function turn() {
  if (isSeen()) {
    for (const follower of followers) {
      follower.turn = (follower.turn + 1) % follower.every;
      if (follower.stream?.isAlive ? follower.asked < follower.told + LAG : follower.turn === 0) {
        askFor(follower);
      }
    }
  }
  setTimeout(turn, interval());
}

export function startLive() {
  document.addEventListener("visibilitychange", () => {
    setStreams();
    if (isSeen()) {
      nudge();
    }
  });
  turn();
}
