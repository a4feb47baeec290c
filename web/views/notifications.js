/* Other users' actions that concern the visitor. Shown ones are marked as read. */

import { put } from "../api.js";
import { avatar } from "../avatar.js";
import { showUnread } from "../badge.js";
import { setLife, timeElement } from "../clock.js";
import { h, icon, isolated } from "../dom.js";
import { List } from "../list.js";
import { ownHandle } from "../session.js";
import { postPath, richText, userPath } from "../text.js";
import { feedPage, signInPage } from "./feed.js";


/** @type {Record<Api.Notification["kind"], [string, string]>} the icon, and what was done */
const KINDS = {
  reply: ["reply", "replied to you"],
  mention: ["at", "mentioned you"],
  like: ["heart", "likes your post"],
  repost: ["repost", "reposted your post"],
  follow: ["user", "follows you"],
};

/** @param {Api.Notification} row */
function make(row) {
  const [name, words] = KINDS[row.kind];
  const isOfOwn = row.kind === "like" || row.kind === "repost"; // the row ends when it is taken back, the post does not
  const target = row.kind === "follow" ? userPath(row.handle) : postPath(isOfOwn ? { handle: ownHandle() ?? "", uuid: row.activity_uuid ?? "" } : row);
  const message = row.message.replace(/^(likes|reposted): /, "");
  const element = h(
    "article",
    { class: row.read ? "notification" : "notification is-unread", tabindex: -1, "data-uuid": row.uuid },
    h("a", { class: "picture", href: userPath(row.handle), "aria-hidden": "true", tabindex: -1 }, avatar(row.handle)),
    h(
      "div",
      {},
      h("p", {}, icon(name), " ", h("a", { href: userPath(row.handle) }, isolated(row.display_name)), " ", h("a", { href: target }, words), " · ", timeElement(row.created_at), row.read ? "" : h("span", { class: "hidden" }, ", new")),
      row.kind === "follow" ? "" : h("p", { class: "text", dir: "auto" }, richText(message)),
    ),
  );
  setLife(element, row);
  return element;
}

/** @type {import("../router.js").MakeView} */
export function show({ signal }) {
  const page = signInPage("Notifications", "Sign in to see replies, mentions, likes and new followers.");
  if (page) {
    return page;
  }
  let known = "";
  const markRead = async (/** @type {Api.Notification[]} */ rows) => {
    const newest = rows.find((row) => !row.read)?.created_at ?? "";
    if (newest > known) {
      known = newest;
      await put("/api/activities/notifications/read", { until: newest }).then(() => showUnread(0), () => {});
    }
  };
  /** @type {List<Api.Notification>} */
  const list = new List(
    {
      path: "/api/activities/notifications",
      label: "Notifications",
      empty: "Nothing yet. Replies, mentions, likes and new followers come here.",
      words: ["new notification", "new notifications"],
      make,
      renew: (element, row) => element.classList.toggle("is-unread", !row.read && row.created_at > known),
      isSince: true,
      onSeen: (_, row) => markRead([row]),
    },
    signal,
  );
  return feedPage("Notifications", list);
}
