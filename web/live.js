/*
 * Asks again while the page is seen: from time to time, or, where a stream of events passes, when that says that there is something.
 * Views know follow(), followed() and nudge(); others are about how to ask, and whether again.
 */

import { ApiError, nextPage, poll } from "./api.js";
import { config } from "./session.js";
import { Stream } from "./stream.js";

const SECONDS = 5;

/** @typedef {{path: string, isNews: (data: any) => boolean}} Events a stream, and which of its events are a reason to ask */
/** @typedef {{ask: () => Promise<void>, every: number, isBusy: boolean, isDue: boolean, asked: number, turn: number, stream: Stream | null}} Follower */

/** @type {Set<Follower>} */
const followers = new Set();

/**
 * @param {() => Promise<void>} ask may fail: the next turn repeats it
 * @param {number} [every] in turns
 * @param {Events} [events]
 * @returns {() => void} ends it
 */
export function follow(ask, every = 1, events) {
  /** @type {Follower} */
  const follower = { ask, every, isBusy: false, isDue: false, asked: 0, turn: 0, stream: null };
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
 * What a view does that loads its content and then asks again as long as it is shown.
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
 * A function that runs once at a time: a call during a run gets the end of that run.
 * @param {() => Promise<void>} act
 */
export function oneAtATime(act) {
  /** @type {Promise<void> | null} */
  let running = null;
  return () => (running ??= act().finally(() => (running = null)));
}

/**
 * Whether the same question may have an answer later.
 * @param {unknown} error
 */
export function isPassing(error) {
  return !(error instanceof ApiError) || error.isAway || error.status === 429 || error.status >= 500;
}

/**
 * Asks for a page and all further ones: what has come since the last question may be more than a page.
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

/** Asks at once. */
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

/** A browser has few connections for a site, so a page that is not seen has no stream. */
function setStreams() {
  followers.forEach(({ stream }) => (isSeen() ? stream?.start() : stream?.stop()));
}

/**
 * There is something to ask for. Events may come quickly one after the other: it is asked as often as the timer would, at most.
 * @param {Follower} follower
 */
function tell(follower) {
  follower.isDue = true;
  if (Date.now() - follower.asked >= interval()) {
    askFor(follower);
  }
}

/** @param {Follower} follower */
async function askFor(follower) {
  if (follower.isBusy) {
    return;
  }
  follower.isBusy = true;
  follower.isDue = false;
  follower.asked = Date.now();
  try {
    await follower.ask();
  } catch {
    // The service is away, or the view is: the next turn shows it.
    follower.isDue = true;
  } finally {
    follower.isBusy = false;
  }
}

function turn() {
  if (isSeen()) {
    for (const follower of followers) {
      follower.turn = (follower.turn + 1) % follower.every;
      if (follower.stream?.isAlive ? follower.isDue : follower.turn === 0) {
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
