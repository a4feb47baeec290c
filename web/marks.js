/*
 * What the visitor has liked and reposted. Home and search do not say it of their posts, so it is kept here from the answers that do. A post
 * that nobody has liked or reposted needs no question; for others each is asked about once, when it is seen.
 */

import { isSignedIn, onSession } from "./session.js";
import { poll } from "./api.js";

/** @typedef {import("./api.js").Activity} Activity */
/** @typedef {{liked: boolean, reposted: boolean}} Marks */

const AT_A_TIME = 2;

/** @type {Map<string, Marks>} */
const known = new Map();

/** What the visitor has set, until it is answered. @type {Map<string, Partial<Marks>>} */
const pending = new Map();

/** Posts to ask about, with what to call with the answer. @type {Map<string, (activity: Activity) => void>} */
const wanted = new Map();
let asking = 0;
const never = new AbortController().signal;

onSession(() => {
  known.clear();
  pending.clear();
  wanted.clear();
});

/**
 * Takes the marks out of what an answer says of a post: a list keeps its rows, and old marks in one would be taken for new ones later.
 * @param {Activity} activity
 */
export function learnMarks(activity) {
  const { liked, reposted } = activity;
  if (typeof liked === "boolean" && typeof reposted === "boolean") {
    known.set(activity.uuid, { liked, reposted });
    delete activity.liked;
    delete activity.reposted;
  }
}

/**
 * @param {string} uuid
 * @param {Partial<Marks>} marks undefined ones have their answer
 */
export function setMarks(uuid, marks) {
  pending.set(uuid, { ...pending.get(uuid), ...marks });
}

/**
 * @param {Activity} activity
 * @returns {Marks}
 */
export function marksOf({ uuid }) {
  const marks = pending.get(uuid), last = known.get(uuid);
  return { liked: marks?.liked ?? last?.liked ?? false, reposted: marks?.reposted ?? last?.reposted ?? false };
}

/**
 * Asks for the marks of a post unless they are known.
 * @param {Activity} activity
 * @param {(activity: Activity) => void} onAnswer
 */
export function wantMarks(activity, onAnswer) {
  if (isSignedIn() && !known.has(activity.uuid) && activity.likes_count + activity.reposts_count > 0) {
    wanted.set(activity.uuid, onAnswer);
    ask();
  }
}

async function ask() {
  const [next] = wanted;
  if (asking >= AT_A_TIME || !next) {
    return;
  }
  const [uuid, onAnswer] = next;
  wanted.delete(uuid);
  asking += 1;
  try {
    const { body } = await poll(`/api/activities/${uuid}?limit=1`, never);
    learnMarks(body.activity);
    onAnswer(body.activity);
  } catch {
    // It has expired, or the service is away: what is shown stays.
  } finally {
    asking -= 1;
    ask();
  }
}
