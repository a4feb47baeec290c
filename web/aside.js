/* Lists of the last day's tags and of suggested users. */

import { avatar } from "./avatar.js";
import { poll } from "./api.js";
import { h, isolated } from "./dom.js";
import { counted, searchPath, userPath } from "./text.js";


/** @param {AbortSignal} [signal] */
export function trendList(signal) {
  const list = h("ol", { class: "trends" });
  fill(list, "/api/trends", signal, "No tags today.", (/** @type {{hashtag: string, count: number}} */ trend) =>
    h("li", {}, h("a", { href: searchPath(`#${trend.hashtag}`) }, isolated(`#${trend.hashtag}`)), h("span", { class: "soft" }, counted(trend.count, "post"))),
  );
  return list;
}

/** @param {AbortSignal} [signal] */
export function suggestions(signal) {
  const list = h("ul", { class: "people" });
  fill(list, "/api/users/suggested", signal, "You follow everybody.", (/** @type {Api.User} */ user) => h("li", {}, userRow(user)));
  return list;
}

/** @param {Api.User} user */
export function userRow(user) {
  return h(
    "a",
    { href: userPath(user.handle), class: "user" },
    avatar(user.handle),
    h("span", {}, h("strong", {}, isolated(user.display_name)), h("span", { class: "soft" }, isolated(`@${user.handle}`))),
  );
}

/**
 * @param {HTMLElement} list
 * @param {string} path
 * @param {AbortSignal | undefined} signal
 * @param {string} empty
 * @param {(row: any) => HTMLElement} make
 */
async function fill(list, path, signal, empty, make) {
  try {
    const { body } = await poll(path, signal);
    list.replaceChildren(...(body.length > 0 ? body.map(make) : [h("li", { class: "soft" }, empty)]));
  } catch {
    list.replaceChildren();
  }
}
