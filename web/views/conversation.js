/* One conversation: messages from old to new, and a place to write the next one. */

import { get, isGone, nextPage, poll, post, put, sentenceOf, userDeed } from "../api.js";
import { avatar } from "../avatar.js";
import { exactTime, isYoung, setLife, timeElement } from "../clock.js";
import { composer } from "../compose.js";
import { h, isolated, scrollToEnd, showMore } from "../dom.js";
import { WHOLE_EVERY, leave } from "../list.js";
import { followed, isPassing, oneAtATime, pollPages } from "../live.js";
import { deleteWithUndo } from "../post.js";
import { rename } from "../router.js";
import { isOwn } from "../session.js";
import { MESSAGE_MAX, richText, userPath } from "../text.js";
import { announce, toast } from "../toast.js";
import { heading, signInPage } from "./feed.js";


/** @param {Api.Message} message */
function make(message) {
  const element = h(
    "li",
    { class: isOwn(message.handle) ? "message is-own" : "message", "data-uuid": message.uuid, tabindex: -1 },
    h("p", { class: "text", dir: "auto" }, h("span", { class: "hidden" }, isolated(message.display_name), ": "), richText(message.message)),
    timeElement(message.created_at),
    message.expires_at !== null && h("span", { class: "soft", title: `Gone on ${exactTime(message.expires_at)}`, "data-life": true }),
    isOwn(message.handle) && h("button", { type: "button", class: "plain", "aria-label": "Delete the message", onclick: () => deleteWithUndo(element, "message", `/api/messages/${message.message_group_uuid}/${message.uuid}`) }, "Delete"),
  );
  setLife(element, message);
  element.addEventListener("expired", () => leave(element), { once: true });
  return element;
}

/** @param {Element} item */
function timeOf(item) {
  return item.querySelector("time")?.dateTime ?? "";
}

/** @type {import("../router.js").MakeView} */
export function show({ params: [other], signal }) {
  const page = signInPage("Messages", "Sign in to read and write messages.");
  if (page) {
    return page;
  }
  const isHandle = other.startsWith("@");
  const path = `/api/messages/${isHandle ? `@${encodeURIComponent(other.slice(1))}` : other}`;
  const title = heading(isHandle ? other : "Conversation");
  const messages = h("ol", { class: "messages", "aria-label": "Messages" });
  const older = h("button", { type: "button", class: "more", hidden: true }, "Show older messages");
  const note = h("p", { class: "note", role: "status" }, "Loading…");
  const head = h("div", { class: "conversation-head" }, h("a", { href: "/messages" }, "All conversations"));
  const element = h("div", { class: "view" }, title, head, older, messages, note);
  const known = new Set();
  let since = "";
  let turn = 0;
  /** @type {string | null} */
  let next = null;
  let isLoaded = false;
  let isOver = false;
  let readUntil = "";

  /** Marks the newest shown message of the other user as read. */
  const markRead = (/** @type {Api.Message[]} */ rows) => {
    const newest = rows.findLast((row) => !isOwn(row.handle));
    if (newest && newest.created_at > readUntil) {
      readUntil = newest.created_at;
      put(`/api/message_groups/${newest.message_group_uuid}/read`, { until: newest.created_at }).catch(() => {});
    }
  };

  /** Adds a message at the position of its time: an answer may have messages that are older than one that was just sent. */
  const add = (/** @type {Api.Message} */ message) => {
    if (!known.has(message.uuid)) {
      known.add(message.uuid);
      const before = [...messages.children].findLast((item) => timeOf(item) <= message.created_at);
      messages.insertBefore(make(message), before ? before.nextSibling : messages.firstChild);
      note.hidden = true;
    }
  };

  const write = composer({
    name: `message:${other}`,
    label: "Your message",
    placeholder: "Write a message",
    button: "Send",
    max: MESSAGE_MAX,
    hasLifetime: true,
    mayStay: true,
    send: (message, key, ttl) => post("/api/messages", { message, ttl: ttl || null, ...(isHandle ? { handle: other.slice(1) } : { message_group_uuid: other }) }, key),
    onSent: (made) => {
      add(made);
      scrollToEnd(element);
    },
  });

  const load = oneAtATime(async () => {
    try {
      if (isHandle) {
        const { body: user } = await get(userDeed(other.slice(1), "short"), signal);
        title.replaceChildren(isolated(user.display_name));
        head.replaceChildren(h("a", { href: userPath(user.handle), class: "picture" }, avatar(user.handle), isolated(`@${user.handle}`)), h("a", { href: "/messages" }, "All conversations"));
        rename(element, `Messages with ${user.display_name}`);
      }
      const answer = await get(path, signal);
      answer.body.forEach(add);
      markRead(answer.body);
      next = nextPage(answer.headers);
      since = answer.headers.get("Cruddur-Since") ?? "";
      older.hidden = next === null;
      note.textContent = "No messages yet.";
      element.append(write);
      isLoaded = true;
      scrollToEnd(element);
    } catch (error) {
      if (!signal.aborted) {
        isOver = !isPassing(error);
        note.textContent = isGone(error) ? "There is no such user." : sentenceOf(error);
      }
    }
  });

  /** Removes the shown messages that the first page should have but lacks: the changes do not tell of deletions. */
  const compare = async () => {
    const shown = /** @type {HTMLElement[]} */ ([...messages.children]);
    const { body, headers } = await poll(path, signal);
    const present = new Set(body.map((/** @type {Api.Message} */ message) => message.uuid));
    const end = nextPage(headers) === null ? "" : body[0].created_at;
    shown.filter((item) => !present.has(item.dataset.uuid) && timeOf(item) > end && !isYoung(timeOf(item))).forEach(leave);
  };

  const ask = async () => {
    if (!isLoaded && !isOver) {
      await load();
    } else if (isLoaded) {
      const isAtEnd = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
      const { pages, headers } = await pollPages(`${path}?since=${encodeURIComponent(since)}`, signal);
      /** @type {Api.Message[]} each page is from old to new, but the first page has the newest messages */
      const rows = pages.reverse().flat();
      since = headers.get("Cruddur-Since") ?? since;
      const news = rows.filter((row) => !known.has(row.uuid));
      rows.forEach(add);
      markRead(rows);
      if (news.length > 0 && isAtEnd) {
        scrollToEnd(element);
      }
      const newest = news.findLast((row) => !isOwn(row.handle));
      announce(newest ? `New message: ${newest.message}` : "");
      turn += 1;
      if (turn % WHOLE_EVERY === 0) {
        await compare();
      }
    }
  };

  older.addEventListener("click", async () => {
    if (!next) {
      return;
    }
    try {
      const answer = await get(next, signal);
      next = nextPage(answer.headers);
      const height = document.documentElement.scrollHeight;
      answer.body.forEach(add);
      showMore(older, next !== null, messages.children[0]);
      scrollBy(0, document.documentElement.scrollHeight - height);
    } catch (error) {
      if (!signal.aborted) {
        toast(sentenceOf(error));
      }
    }
  });

  return {
    title: isHandle ? `Messages with ${other}` : "Conversation",
    element,
    ...followed(() => isLoaded || isOver || load(), ask),
  };
}
