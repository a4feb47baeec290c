/* The users that like or reposted a post. */

import { h, isolated } from "../dom.js";
import { List } from "../list.js";
import { postPath, userPath } from "../text.js";
import { feedPage, personRow } from "./feed.js";

/** @typedef {import("../api.js").User & {created_at: string}} Marker */
/** @typedef {import("../api.js").User & {liked_at?: string, reposted_at?: string}} Row */

/** @param {Marker} user */
function make(user) {
  return personRow(user, userPath(user.handle), h("p", { class: "soft" }, isolated(`@${user.handle}`)));
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
  return feedPage(title, list, h("p", {}, h("a", { href: postPath({ handle, uuid }) }, "Back to the post")));
}
