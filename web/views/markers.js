/* The users that like or reposted a post. */

import { avatar } from "../avatar.js";
import { timeElement } from "../clock.js";
import { h, isolated } from "../dom.js";
import { List } from "../list.js";
import { userPath } from "../text.js";
import { feedPage } from "./feed.js";

/** @typedef {import("../api.js").User & {created_at: string}} Marker */
/** @typedef {import("../api.js").User & {liked_at?: string, reposted_at?: string}} Row */

/** @param {Marker} user */
function make(user) {
  return h(
    "article",
    { class: "conversation", tabindex: -1, "data-uuid": user.uuid },
    h("div", { class: "picture" }, avatar(user.handle)),
    h("div", {}, h("p", {}, h("a", { href: userPath(user.handle), class: "stretched" }, isolated(user.display_name)), " · ", timeElement(user.created_at)), h("p", { class: "soft" }, isolated(`@${user.handle}`))),
  );
}

/** @type {import("../router.js").MakeView} */
export function show({ params: [handle, uuid, kind], signal }) {
  const title = kind === "likes" ? "Likes" : "Reposts";
  /** @type {List<Marker>} */
  const list = new List(
    {
      path: `/api/activities/${uuid}/${kind}`,
      label: title,
      empty: "Nobody yet.",
      words: ["new one", "new ones"],
      make,
      rowsOf: (rows) => rows.map((/** @type {Row} */ row) => ({ ...row, created_at: row.liked_at ?? row.reposted_at ?? "" })),
      isOnce: true,
    },
    signal,
  );
  return feedPage(title, list, h("p", {}, h("a", { href: `/@${encodeURIComponent(handle)}/status/${uuid}` }, "The post")));
}
