/* The service's rules for texts, the paths of views, and how a message is shown. */

import { h } from "./dom.js";

export const POST_MAX = 280;
export const REPLY_MAX = 1024;
export const MESSAGE_MAX = 1024;
export const NAME_MAX = 255;
export const BIO_MAX = 1024;

/* The service counts code points. A text that has only these is blank (doc/sql.md). */
const BLANK = /^[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]*$/u;

/* URLs, tags and mentions. A tag or a mention does not begin directly after a letter, a mark, a digit or one of "_/@.". */
const LINK = /(?<url>https?:\/\/[^\s<>"]+[^\s<>"'.,:;!?)\]}])|(?<![\p{L}\p{N}\p{M}_/@.])(?:#(?<tag>[\p{L}\p{N}\p{M}_·\u200c\u200d]{1,64})|@(?<handle>[\p{L}\p{N}\p{M}_](?:[\p{L}\p{N}\p{M}_.-]*[\p{L}\p{N}\p{M}_])?))/gu;

/**
 * @param {string} text
 * @returns {number} its code points
 */
export function codePoints(text) {
  return [...text].length;
}

/** @param {string} text */
export function isBlank(text) {
  return BLANK.test(text);
}

/** @param {string} handle */
export function userPath(handle) {
  return `/@${encodeURIComponent(handle)}`;
}

/** @param {string} handle */
export function conversationPath(handle) {
  return `/messages${userPath(handle)}`;
}

/** @param {{handle: string, uuid: string}} post */
export function postPath(post) {
  return `${userPath(post.handle)}/status/${post.uuid}`;
}

/** @param {string} term */
export function searchPath(term) {
  return `/search?q=${encodeURIComponent(term)}`;
}

/**
 * A message with its URLs, tags and mentions as links.
 * @param {string} text
 */
export function richText(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = linkOf(match);
    if (link) {
      fragment.append(text.slice(end, match.index), link);
      end = match.index + match[0].length;
    }
  }
  fragment.append(text.slice(end));
  return fragment;
}

/** @param {RegExpMatchArray} match */
function linkOf(match) {
  const { url, tag, handle } = /** @type {Record<string, string | undefined>} */ (match.groups);
  if (url) {
    return URL.canParse(url) && h("a", { href: url, rel: "noopener noreferrer nofollow ugc", target: "_blank", dir: "ltr" }, url);
  }
  if (tag) {
    return /\p{L}/u.test(tag) && h("a", { href: searchPath(`#${tag}`) }, `#${tag}`);
  }
  return handle && h("a", { href: userPath(handle) }, `@${handle}`);
}

/**
 * "1 like", "2 likes".
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
