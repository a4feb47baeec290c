/*
 * Asks again from time to time while the page is seen. Views know only follow() and nudge(): a stream of events takes the timer's
 * place in this module alone.
 */

import { config } from "./session.js";

const SECONDS = 5;

/** @typedef {{ask: () => Promise<void>, every: number, isBusy: boolean, turn: number}} Follower */

/** @type {Set<Follower>} */
const followers = new Set();

/**
 * @param {() => Promise<void>} ask may fail: the next turn repeats it
 * @param {number} [every] in turns
 * @returns {() => void} ends it
 */
export function follow(ask, every = 1) {
  const follower = { ask, every, isBusy: false, turn: 0 };
  followers.add(follower);
  return () => followers.delete(follower);
}

/** Asks at once. */
export function nudge() {
  followers.forEach((follower) => {
    follower.turn = 0;
    askFor(follower);
  });
}

/** @param {Follower} follower */
async function askFor(follower) {
  if (follower.isBusy) {
    return;
  }
  follower.isBusy = true;
  try {
    await follower.ask();
  } catch {
    // The service is away, or the view is: the next turn shows it.
  } finally {
    follower.isBusy = false;
  }
}

function turn() {
  if (document.visibilityState === "visible") {
    for (const follower of followers) {
      follower.turn = (follower.turn + 1) % follower.every;
      if (follower.turn === 0) {
        askFor(follower);
      }
    }
  }
  setTimeout(turn, (config.poll_seconds ?? SECONDS) * 1000);
}

export function startLive() {
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && nudge());
  turn();
}
