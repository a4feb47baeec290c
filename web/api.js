/*
 * Requests to the API: access tokens, idempotency keys, repetition while the service is away, sentences for error codes, links to next pages.
 */

import { learnTime } from "./clock.js";
import { accessToken, limited, ownHandle } from "./session.js";
import { byId } from "./dom.js";
import { userPath } from "./text.js";

/** @type {Record<string, string>} */
const SENTENCES = {
  activity_deleted: "This was deleted or has expired since.",
  bio_exceed_max_chars: "The text about you is too long: 1024 characters at most.",
  blocks_exceed_max: "You block 5000 people, which is the most that one can.",
  body_too_large: "This is too long.",
  conflict: "Somebody else wrote the same at the same time. Try again.",
  database_timeout: "Cruddur took too long. Try again.",
  database_unavailable: "Cruddur does not answer at the moment.",
  display_name_blank: "Give a name.",
  display_name_exceed_max_chars: "The name is too long: 255 characters at most.",
  display_name_invalid: "The name has a character that a name cannot have.",
  follows_exceed_max: "You follow 5000 people, which is the most that one can.",
  generic_401: "You are signed out. Sign in and try again.",
  generic_403: "This is not yours to change.",
  growth_behind: "The figures are being counted. Come back in some minutes.",
  message_blank: "Write something first.",
  message_exceed_max_chars: "This is too long: 280 characters at most.",
  message_exceed_max_chars_1024: "This is too long: 1024 characters at most.",
  message_deleted: "This was deleted or has expired since.",
  messages_exceed_hourly_max: "You have sent as many messages within an hour as one may. Wait a while.",
  mutes_exceed_max: "You mute 5000 people, which is the most that one can.",
  not_found: "This is not here: it has expired, was deleted, or never was.",
  not_yours: "This is not yours to change.",
  posts_exceed_hourly_max: "You have posted as often within an hour as one may. Wait a while.",
  reason_blank: "Say why.",
  reason_exceed_max_chars: "The reason is too long: 500 characters at most.",
  receiver_is_sender: "You cannot write to yourself.",
  receiver_not_found: "There is no such user.",
  replies_exceed_max: "There are as many replies as there may be.",
  reports_exceed_hourly_max: "You have reported as often within an hour as one may. Wait a while.",
  search_term_blank: "Type something to look for.",
  search_term_exceed_max_chars: "This is too much to look for: 300 characters at most.",
  service_unavailable: "Cruddur does not answer at the moment.",
  too_many_requests: "That was too fast. Wait a moment.",
  user_handle_mismatch: "This is not your handle.",
  user_not_registered: "You have signed in, but there is no user of Cruddur for you yet.",
  user_suspended: "Your account is suspended: you can read, but not write.",
  value_refused: "Cruddur does not take this.",
};

const AWAY_STATUSES = [502, 503, 504];
const TOO_MANY = 429;
const PAUSE_MAX = 60; // s, also if Retry-After is longer

/** What the bar at the top says while requests wait. */
const AWAY = "Cruddur does not answer at the moment. What you write is kept; the page tries again by itself.";
const TOO_FAST = "That was too fast. The page tries again by itself in a moment.";

export class ApiError extends Error {
  /**
   * @param {number} status 0 if there was no answer
   * @param {string[]} codes
   */
  constructor(status, codes) {
    super(codes.map(sentenceFor).join(" "));
    this.status = status;
    this.codes = codes;
  }

  get isAway() {
    return this.status === 0 || (AWAY_STATUSES.includes(this.status) && !this.codes.includes("growth_behind"));
  }
}

/**
 * @typedef {object} Options
 * @property {unknown} [body]
 * @property {string} [key] the Idempotency-Key of a POST
 * @property {string} [etag]
 * @property {number} [patience] how long the request may be repeated, in ms
 * @property {AbortSignal} [signal]
 * @property {boolean} [keepalive] the request outlives the page
 */

/** The number of requests that wait to be sent again. */
let waiting = 0;

/**
 * @param {number} change
 * @param {string} [reason]
 */
function wait(change, reason) {
  waiting += change;
  byId("away").hidden = waiting === 0;
  if (reason && byId("away").textContent !== reason) {
    byId("away").textContent = reason; // screen readers read it out each time it is set
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 */
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, null);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

/**
 * Sends a request. Repeats it, within its patience, while the service is away or refuses a GET with 429, and once with a new token after a
 * 401. A POST needs a key, so that no repetition makes a second object. A request is sent with no other visitor's token: another one may
 * sign in in another tab meanwhile.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{status: number, body: any, headers: Headers}>}
 */
export async function call(method, path, options = {}) {
  const end = Date.now() + (options.patience ?? 0);
  const visitor = ownHandle();
  let refused;
  let isWaiting = false;
  try {
    for (;;) {
      const { answer, token, error, pause } = await attempt(method, path, options, visitor, refused);
      if (answer) {
        return answer;
      }
      if (error.status === 401 && token && refused === undefined) {
        refused = token;
        continue;
      }
      const isTooFast = error.status === TOO_MANY && method === "GET";
      if (!(error.isAway || isTooFast) || Date.now() + pause > end) {
        throw error;
      }
      wait(isWaiting ? 0 : +1, isTooFast ? TOO_FAST : AWAY);
      isWaiting = true;
      await sleep(pause, options.signal);
    }
  } finally {
    if (isWaiting) {
      wait(-1);
    }
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} options
 * @param {string | null} visitor
 * @param {string | undefined} refused
 */
async function attempt(method, path, options, visitor, refused) {
  let token = null;
  try {
    token = await accessToken(refused);
    if (token && ownHandle() !== visitor) {
      return { answer: null, token: null, error: new ApiError(401, ["generic_401"]), pause: 0 };
    }
    const sent = Date.now();
    const answer = await fetch(path, { method, headers: headersOf(options, token), body: JSON.stringify(options.body), signal: limited(options.signal), keepalive: options.keepalive, cache: "no-store" });
    learnTime(answer.headers.get("Date"), sent);
    const body = answer.status === 304 ? null : await answer.json();
    if (answer.ok || answer.status === 304) {
      return { answer: { status: answer.status, body, headers: answer.headers }, token, error: new ApiError(0, []), pause: 0 };
    }
    return { answer: null, token, error: new ApiError(answer.status, Array.isArray(body) ? body : []), pause: pauseOf(answer) };
  } catch (error) {
    if (options.signal?.aborted) {
      throw error;
    }
    return { answer: null, token, error: new ApiError(0, ["service_unavailable"]), pause: 1000 };
  }
}

/**
 * The time in ms until the request is sent again.
 * @param {Response} answer
 */
function pauseOf(answer) {
  const seconds = Number(answer.headers.get("Retry-After")) || 1; // 1 s for a date, or without the header
  return Math.min(Math.max(seconds, 1), PAUSE_MAX) * 1000;
}

/**
 * @param {Options} options
 * @param {string | null} token
 */
function headersOf(options, token) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  if (options.key) {
    headers["Idempotency-Key"] = options.key;
  }
  if (options.etag) {
    headers["If-None-Match"] = options.etag;
  }
  return headers;
}

/**
 * The target of the Link to the next page, or null.
 * @param {Headers} headers
 */
export function nextPage(headers) {
  return /<([^>]+)>;\s*rel="next"/.exec(headers.get("Link") ?? "")?.[1] ?? null;
}

const WRITE_PATIENCE = 120_000;

/**
 * For a view's content: waits for the service until the signal is aborted.
 * @param {string} path
 * @param {AbortSignal} signal
 */
export function get(path, signal) {
  return call("GET", path, { signal, patience: Infinity });
}

/**
 * For polls: a failed request is not repeated, because the next poll follows.
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @param {string} [etag]
 */
export function poll(path, signal, etag) {
  return call("GET", path, { signal, etag });
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {string} key
 */
export async function post(path, body, key) {
  return (await call("POST", path, { body, key, patience: WRITE_PATIENCE })).body;
}

/**
 * @param {string} path
 * @param {unknown} [body]
 */
export async function put(path, body) {
  return (await call("PUT", path, { body, patience: WRITE_PATIENCE })).body;
}

/** @param {string} path */
export async function remove(path) {
  return (await call("DELETE", path, { patience: WRITE_PATIENCE, keepalive: true })).body;
}

/** @param {string} handle */
export function apiUser(handle) {
  return `/api/activities${userPath(handle)}`;
}

/**
 * The path of a user's short form, "short", or of an action on a user: "follow", "block", "mute".
 * @param {string} handle
 * @param {string} what
 */
export function userDeed(handle, what) {
  return `/api/users${userPath(handle)}/${what}`;
}

export function newKey() {
  return crypto.randomUUID();
}

/** @param {string} code */
export function sentenceFor(code) {
  return SENTENCES[code] ?? "Something went wrong. Try again.";
}

/**
 * Whether the requested object does not exist, or no longer.
 * @param {unknown} error
 */
export function isGone(error) {
  return error instanceof ApiError && error.status === 404;
}

/** @param {unknown} error */
export function sentenceOf(error) {
  return error instanceof ApiError ? error.message : sentenceFor("");
}
