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

/** Posts to ask about, with what to call with the answer. @type {Map<string, (activity: Activity) => void>} */
const wanted = new Map();
let asking = 0;
const never = new AbortController().signal;

onSession(() => {
  known.clear();
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
 * A mark that the post itself still has is one that the visitor has just set.
 * @param {Activity} activity
 * @returns {Marks}
 */
export function marksOf(activity) {
  const marks = known.get(activity.uuid);
  return { liked: activity.liked ?? marks?.liked ?? false, reposted: activity.reposted ?? marks?.reposted ?? false };
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
