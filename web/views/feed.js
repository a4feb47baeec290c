/* What several views have in common. */

import { avatar } from "../avatar.js";
import { timeElement } from "../clock.js";
import { h, isolated } from "../dom.js";
import { postElement, renewPost } from "../post.js";
import { learnMarks, wantMarks } from "../marks.js";
import { isSignedIn, signIn } from "../session.js";

/** @typedef {import("../router.js").View} View */

/**
 * The members of Kind that all lists of posts share.
 * @param {import("../post.js").Shape} [shape]
 */
export function postKind(shape) {
  return {
    words: /** @type {[string, string]} */ (["new post", "new posts"]),
    make: (/** @type {Api.Activity} */ activity) => postElement(activity, shape),
    renew: renewPost,
    learn: learnMarks,
    onSeen: (/** @type {HTMLElement} */ element, /** @type {Api.Activity} */ activity) =>
      wantMarks(activity, (answer) => {
        Object.assign(activity, answer);
        renewPost(element, activity);
      }),
  };
}

/**
 * A row about a user: the picture, a link that fills the row, a time, and a line below.
 * @param {{uuid: string, handle: string | null, display_name: string, created_at: string}} row
 * @param {string} href
 * @param {HTMLElement} below
 * @param {import("../dom.js").Child} [badge]
 */
export function personRow(row, href, below, badge) {
  const name = h("a", { href, class: "stretched" }, isolated(row.display_name));
  return h(
    "article",
    { class: "conversation", tabindex: -1, "data-uuid": row.uuid },
    h("div", { class: "picture" }, avatar(row.handle)),
    h("div", {}, h("p", {}, name, " · ", timeElement(row.created_at), badge), below),
  );
}

/** @param {string} text */
export function heading(text) {
  return h("h1", { tabindex: -1 }, text);
}

/**
 * A view with a heading, elements above the list, and the list.
 * @param {string} title
 * @param {{element: HTMLElement, resume(): void, pause(): void}} list
 * @param {...import("../dom.js").Child} above
 * @returns {View}
 */
export function feedPage(title, list, ...above) {
  const element = h("div", { class: "view" }, heading(title), ...above, list.element);
  return { title, element, resume: () => list.resume(), pause: () => list.pause() };
}

/**
 * The view in place of one that needs a sign-in; null if the visitor is signed in.
 * @param {string} title
 * @param {string} text
 * @returns {View | null}
 */
export function signInPage(title, text) {
  if (isSignedIn()) {
    return null;
  }
  const button = h("button", { type: "button", class: "main", onclick: signIn }, "Sign in");
  return { title, element: h("div", { class: "view" }, heading(title), h("section", { class: "welcome" }, h("p", {}, text), button)) };
}
