/* The visitor's conversations. */

import { h } from "../dom.js";
import { List } from "../list.js";
import { navigate } from "../router.js";
import { conversationPath } from "../text.js";
import { feedPage, personRow, signInPage } from "./feed.js";


/** @param {Api.Conversation} group */
function make(group) {
  const target = group.handle === null ? `/messages/${group.uuid}` : conversationPath(group.handle);
  const message = h("p", { class: "text one-line", dir: "auto" }, group.message);
  const element = personRow(group, target, message, group.unread > 0 && unreadBadge(group.unread));
  element.classList.toggle("is-unread", group.unread > 0);
  element.dataset.content = contentOf(group);
  return element;
}

/** @param {number} count */
function unreadBadge(count) {
  return h("span", { class: "badge" }, count >= 10 ? "10+" : count, h("span", { class: "hidden" }, " unread"));
}

/**
 * The shown content of a conversation, to compare.
 * @param {Api.Conversation} group
 */
function contentOf(group) {
  return JSON.stringify([group.created_at, group.unread, group.message]);
}

/** @type {import("../router.js").MakeView} */
export function show({ signal }) {
  const page = signInPage("Messages", "Sign in to read and write messages.");
  if (page) {
    return page;
  }
  /** @type {List<Api.Conversation>} */
  const list = new List(
    { path: "/api/message_groups", label: "Conversations", empty: "No conversations yet. Write to somebody by their handle.", words: ["new message", "new messages"], make },
    signal,
  );
  const plainCompare = list.compare.bind(list);
  list.compare = (rows, next) => {
    plainCompare(rows, next);
    if (list.fresh) {
      list.replace();
    }
    sort(list, rows);
  };
  const handle = h("input", { id: "receiver", name: "handle", placeholder: "@handle", autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: true });
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    navigate(conversationPath(handle.value.trim().replace(/^@/, "")));
  };
  const form = h("form", { class: "row-form", onsubmit: begin }, h("label", { for: "receiver" }, "Write to"), handle, h("button", { type: "submit" }, "Open"));
  return feedPage("Messages", list, form);
}

/**
 * Shows the first page's conversations as they are now and in its order. None waits behind a button, because the list is short.
 * The focus stays with its conversation.
 * @param {List<Api.Conversation>} list
 * @param {Api.Conversation[]} rows
 */
function sort(list, rows) {
  const focused = list.rows.contains(document.activeElement) ? document.activeElement : null;
  const uuid = focused?.closest("article")?.dataset.uuid ?? "";
  const elements = rows.map((row) => {
    const known = list.shown.get(row.uuid);
    if (known && known.element.dataset.content === contentOf(row)) {
      return known.element;
    }
    const element = make(row);
    known?.element.replaceWith(element);
    list.shown.set(row.uuid, { row, element });
    return element;
  });
  if (elements.some((element, place) => list.rows.children[place] !== element)) {
    list.rows.prepend(...elements);
  }
  if (focused !== null && focused !== document.activeElement) {
    const row = list.shown.get(uuid)?.element;
    (focused.matches("a") ? row?.querySelector("a") : row)?.focus({ preventScroll: true });
  }
  list.waiting.clear();
  list.settle();
}
