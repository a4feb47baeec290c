/* The visitor's conversations. */

import { avatar } from "../avatar.js";
import { timeElement } from "../clock.js";
import { h, isolated } from "../dom.js";
import { List } from "../list.js";
import { navigate } from "../router.js";
import { feedPage, signInPage } from "./feed.js";

/** @typedef {import("../api.js").Message} Message */

/** @param {Message} group */
function make(group) {
  const target = group.handle === null ? `/messages/${group.uuid}` : `/messages/@${encodeURIComponent(group.handle)}`;
  return h(
    "article",
    { class: "conversation", tabindex: -1, "data-uuid": group.uuid },
    h("div", { class: "picture" }, avatar(group.handle)),
    h("div", {}, h("p", {}, h("a", { href: target, class: "stretched" }, isolated(group.display_name)), " · ", timeElement(group.created_at)), h("p", { class: "text one-line", dir: "auto" }, group.message)),
  );
}

/** @type {import("../router.js").MakeView} */
export function show({ signal }) {
  const page = signInPage("Messages", "Sign in to read and write messages.");
  if (page) {
    return page;
  }
  /** @type {List<Message>} */
  const list = new List(
    { path: "/api/message_groups", label: "Conversations", empty: "No conversations yet. Write to somebody by their handle.", words: ["new message", "new messages"], make },
    signal,
  );
  const plainCompare = list.compare.bind(list);
  list.compare = (rows, hasMore) => {
    plainCompare(rows, hasMore);
    sort(list, rows);
  };
  const handle = h("input", { id: "receiver", name: "handle", placeholder: "@handle", autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: true });
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    navigate(`/messages/@${encodeURIComponent(handle.value.trim().replace(/^@/, ""))}`);
  };
  const form = h("form", { class: "row-form", onsubmit: begin }, h("label", { for: "receiver" }, "Write to"), handle, h("button", { type: "submit" }, "Open"));
  return feedPage("Messages", list, form);
}

/**
 * A conversation with a new message goes to the top, with the message: the list is one of the present, and short.
 * @param {List<Message>} list
 * @param {Message[]} rows in their order
 */
function sort(list, rows) {
  for (const row of [...rows].reverse()) {
    const known = list.shown.get(row.uuid);
    if (!known || known.element.dataset.message !== row.created_at) {
      const element = make(row);
      element.dataset.message = row.created_at;
      known?.element.remove();
      list.shown.set(row.uuid, { row, element });
      list.rows.prepend(element);
    }
  }
  list.waiting.clear();
  list.settle();
}
