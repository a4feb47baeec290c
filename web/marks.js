/*
 * What the visitor has liked and reposted. Home and search give posts without these marks, so the marks of other answers are kept here. A
 * post without likes and reposts needs no request; for others the marks are requested once, when the post is seen.
 */

import { isSignedIn, onSession } from "./session.js";
import { poll } from "./api.js";

/** @typedef {{liked: boolean, reposted: boolean}} Marks */

const AT_A_TIME = 2;

/** @type {Map<string, Marks>} */
const known = new Map();

/** Marks that the visitor has set, until the answer comes. @type {Map<string, Partial<Marks>>} */
const pending = new Map();

/** Posts whose marks to request, with the function that takes the answer. @type {Map<string, (activity: Api.Activity) => void>} */
const wanted = new Map();
let asking = 0;

onSession(() => {
  known.clear();
  pending.clear();
  wanted.clear();
});

/**
 * Moves the marks of an answer's post to `known`: a list keeps its rows, and old marks in a row would be taken for new ones later.
 * @param {Api.Activity} activity
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
 * @param {Partial<Marks>} marks undefined: the answer has come
 */
export function setMarks(uuid, marks) {
  pending.set(uuid, { ...pending.get(uuid), ...marks });
}

/**
 * @param {Api.Activity} activity
 * @returns {Marks}
 */
export function marksOf({ uuid }) {
  const marks = pending.get(uuid), last = known.get(uuid);
  return { liked: marks?.liked ?? last?.liked ?? false, reposted: marks?.reposted ?? last?.reposted ?? false };
}

/**
 * Requests the marks of a post unless they are known.
 * @param {Api.Activity} activity
 * @param {(activity: Api.Activity) => void} onAnswer
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
    const { body } = await poll(`/api/activities/${uuid}?limit=1`);
    learnMarks(body.activity);
    onAnswer(body.activity);
  } catch {
    // The post has expired, or the service is away: the shown marks stay.
  } finally {
    asking -= 1;
    ask();
  }
}
