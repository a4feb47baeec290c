/* Two views: a post with its thread, what it replies to above it, its replies below; and the users that like or reposted a post. */

import { apiUser, get, isGone, nextPage, poll, post, sentenceOf } from "../api.js";
import { composer } from "../compose.js";
import { h, isolated, showMore } from "../dom.js";
import { List, leave } from "../list.js";
import { followed, isPassing, nudge, oneAtATime } from "../live.js";
import { isHeld, isLeaving, postElement, renewPost } from "../post.js";
import { rename } from "../router.js";
import { REPLY_MAX, postPath, userPath } from "../text.js";
import { toast } from "../toast.js";
import { feedPage, heading, personRow } from "./feed.js";

/** @typedef {{activity: Api.Activity, ancestors?: Api.Activity[], replies: Api.Activity[]}} Page */
/** @typedef {Api.User & {liked_at?: string, reposted_at?: string}} Marker */

/** @type {import("../router.js").MakeView} */
export function show({ params: [handle, uuid, kind], query, signal }) {
  return kind ? markers(handle, uuid, kind, signal) : thread(handle, uuid, query, signal);
}

/**
 * @param {string} handle
 * @param {string} uuid
 * @param {string} kind "likes" or "reposts"
 * @param {AbortSignal} signal
 */
function markers(handle, uuid, kind, signal) {
  const title = kind === "likes" ? "Likes" : "Reposts";
  /** @type {List<Api.User & {created_at: string}>} */
  const list = new List(
    {
      path: `/api/activities/${uuid}/${kind}`,
      label: title,
      empty: "Nobody yet.",
      words: ["new one", "new ones"],
      make: (user) => personRow(user, userPath(user.handle), h("p", { class: "soft" }, isolated(`@${user.handle}`))),
      rowsOf: (rows) => rows.map((/** @type {Marker} */ row) => ({ ...row, created_at: row.liked_at ?? row.reposted_at ?? "" })),
      isOnce: true,
    },
    signal,
  );
  return feedPage(title, list, h("p", {}, h("a", { href: postPath({ handle, uuid }) }, "Back to the post")));
}

/**
 * @param {string} handle
 * @param {string} uuid
 * @param {URLSearchParams} query
 * @param {AbortSignal} signal
 */
function thread(handle, uuid, query, signal) {
  const path = `${apiUser(handle)}/status/${uuid}`;
  const title = heading("Thread");
  const above = h("div", { class: "ancestors" });
  const main = h("div", {});
  const replies = h("div", { class: "rows", role: "feed", "aria-label": "Replies" });
  const more = h("button", { type: "button", class: "more", hidden: true }, "Show more replies");
  const note = h("p", { class: "note", role: "status" }, "Loading…");
  const element = h("div", { class: "view" }, title, above, main, replies, more, note);
  /** @type {Map<string, {element: HTMLElement, activity: Api.Activity}>} */
  const shown = new Map();
  /** The path of the last loaded page of replies, whose answer says whether there are more. */
  let last = path;
  /** @type {string | null} */
  let next = null;
  let isOver = false;

  const end = (/** @type {string} */ text) => {
    const hadFocus = [above, main, replies].some((place) => place.contains(document.activeElement));
    isOver = true;
    above.replaceChildren();
    main.replaceChildren();
    replies.replaceChildren();
    more.hidden = true;
    note.hidden = false;
    note.textContent = text;
    title.textContent = "Gone";
    if (hadFocus) {
      title.focus({ preventScroll: true });
    }
  };

  /**
   * @param {Api.Activity} activity
   * @param {HTMLElement} place
   * @param {import("../post.js").Shape} shape
   */
  const put = (activity, place, shape) => {
    const known = shown.get(activity.uuid);
    if (known) {
      Object.assign(known.activity, activity);
      renewPost(known.element, known.activity);
    } else if (!isLeaving(activity.uuid)) {
      const made = postElement(activity, shape);
      shown.set(activity.uuid, { element: made, activity });
      place.append(made);
    }
  };

  const addReplies = (/** @type {Page} */ page) => page.replies.forEach((activity) => put(activity, replies, { replyTo: false }));

  const drop = (/** @type {HTMLElement} */ gone) => {
    const own = gone.dataset.uuid ?? "";
    if (gone.classList.contains("is-main")) {
      end("This post is gone: it has expired or was deleted.");
    } else if (shown.delete(own)) {
      leave(gone);
    }
  };
  element.addEventListener("expired", (event) => drop(/** @type {HTMLElement} */ (event.target)));

  /**
   * @param {Page} page
   * @param {boolean} isWhole whether it has all replies
   */
  const compare = (page, isWhole) => {
    const present = new Set([page.activity, ...(page.ancestors ?? []), ...page.replies].map((activity) => activity.uuid));
    page.ancestors?.forEach((activity) => put(activity, above, { replyTo: false }));
    put(page.activity, main, { isMain: true, replyTo: false, onReply: () => write.querySelector("textarea")?.focus() });
    addReplies(page);
    if (isWhole) {
      for (const [other, { element: gone }] of shown) {
        if (!present.has(other) && !isHeld(gone)) {
          drop(gone);
        }
      }
    }
    note.hidden = page.replies.length > 0;
    note.textContent = "No replies yet.";
  };

  /**
   * @param {Headers} headers of the last page
   * @param {Element} [row] the first one of the page, if it is new
   */
  const takeLink = (headers, row) => {
    next = nextPage(headers);
    showMore(more, next !== null, row);
  };

  const write = composer({
    name: `reply:${uuid}`,
    label: "Your reply",
    placeholder: "Write a reply. It lives as long as the post.",
    button: "Reply",
    max: REPLY_MAX,
    send: (message, key) => post(`/api/activities/${uuid}/reply`, { message }, key),
    onSent: (made) => {
      put(made, replies, { replyTo: false });
      note.hidden = true;
      nudge();
    },
  });

  const load = oneAtATime(async () => {
    try {
      const answer = await get(path, signal);
      compare(answer.body, false);
      takeLink(answer.headers);
      main.after(write);
      const { activity } = /** @type {Page} */ (answer.body);
      rename(element, `${activity.display_name}: ${activity.message.slice(0, 60)}`);
      if (query.has("reply")) {
        write.querySelector("textarea")?.focus();
      }
    } catch (error) {
      if (isGone(error)) {
        end(sentenceOf(error));
      } else if (!signal.aborted) {
        isOver = !isPassing(error);
        note.textContent = sentenceOf(error);
      }
    }
  });

  const ask = async () => {
    if (isOver) {
      return;
    }
    if (shown.size === 0) {
      await load();
      return;
    }
    try {
      const answer = await poll(path, signal);
      compare(answer.body, nextPage(answer.headers) === null);
      const asked = last;
      const tail = asked === path ? answer : await poll(asked, signal);
      if (asked !== path) {
        addReplies(tail.body);
      }
      if (asked === last) {
        takeLink(tail.headers);
      }
    } catch (error) {
      if (isGone(error)) {
        end("This post is gone: it has expired or was deleted.");
      }
    }
  };

  more.addEventListener("click", async () => {
    const asked = next;
    if (asked === null) {
      return;
    }
    try {
      const answer = await get(asked, signal);
      last = asked;
      const count = replies.childElementCount;
      addReplies(answer.body);
      takeLink(answer.headers, replies.children[count]);
    } catch (error) {
      if (!signal.aborted) {
        toast(sentenceOf(error));
      }
    }
  });

  return {
    title: "Thread",
    element,
    ...followed(() => shown.size > 0 || isOver || load(), ask),
  };
}
