/* A post or a reply on the page, and its actions. */

import { announce, toast, toastWithUndo } from "./toast.js";
import { append, h, icon, isolated, part, passFocus, stamp } from "./dom.js";
import { isGone, newKey, post, put, remove, sentenceOf, userDeed } from "./api.js";
import { avatar } from "./avatar.js";
import { exactTime, expire, setLife, timeElement } from "./clock.js";
import { isOwn, isSignedIn, signIn } from "./session.js";
import { lifetimeSelect, usualLifetime } from "./compose.js";
import { learnMarks, marksOf, setMarks } from "./marks.js";
import { reload } from "./router.js";
import { counted, postPath, richText, userPath } from "./text.js";

/** @typedef {{replyTo?: boolean, onReply?: (post: Api.Activity) => void, isMain?: boolean}} Shape */

/**
 * Posts that are being deleted. An answer that still has one does not show it again.
 * @type {Set<string>}
 */
const leaving = new Set();

/** @param {string} uuid */
export function isLeaving(uuid) {
  return leaving.has(uuid);
}

/**
 * Whether an undo may show this element again. Other elements of the post, in kept lists, are removed when an answer lacks it.
 * @param {HTMLElement} element
 */
export function isHeld(element) {
  return element.hidden && isLeaving(element.dataset.uuid ?? "");
}

/**
 * @param {Api.Activity} activity
 * @param {Shape} [shape]
 */
export function postElement(activity, shape = {}) {
  const element = stamp("post");
  const author = part(element, "author");
  element.dataset.uuid = activity.uuid;
  element.classList.toggle("is-main", shape.isMain === true);
  part(element, "picture").append(avatar(activity.handle));
  part(element, "picture").setAttribute("href", userPath(activity.handle));
  author.setAttribute("href", userPath(activity.handle));
  author.append(isolated(activity.display_name));
  append(part(element, "handle"), isolated(`@${activity.handle}`));
  const when = part(element, "when");
  when.setAttribute("href", postPath(activity));
  when.append(timeElement(activity.created_at));
  part(element, "text").append(richText(activity.message));
  part(element, "reply").setAttribute("href", `${postPath(activity)}?reply`);
  element.ariaLabel = `${activity.display_name}: ${activity.message.slice(0, 100)}`;
  showContext(element, activity, shape);
  wire(element, activity, shape);
  renewPost(element, activity);
  return element;
}

/**
 * Shows above the post which user reposted it, or that it is a reply.
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 * @param {Shape} shape
 */
function showContext(element, activity, shape) {
  const context = part(element, "context");
  if (activity.reposted_by) {
    const others = (activity.reposters?.length ?? 1) - 1;
    append(context, icon("repost"), h("a", { href: userPath(activity.reposted_by.handle) }, isolated(activity.reposted_by.display_name)));
    append(context, others > 0 && ` and ${counted(others, "other")}`, " reposted");
  } else if (activity.reply_to_activity_uuid && shape.replyTo !== false) {
    append(context, icon("reply"), h("a", { href: postPath(activity) }, "A reply"));
  } else {
    context.remove();
  }
}

/**
 * Updates what changes in a post while it is shown: counts, marks and expiry.
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 */
export function renewPost(element, activity) {
  learnMarks(activity);
  showCounts(element, activity);
  part(element, "left").textContent = "stays";
  setLife(element, activity);
  part(element, "life").title = activity.expires_at === null ? "Never expires" : `Gone on ${exactTime(activity.expires_at)}`;
}

/**
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 */
function showCounts(element, activity) {
  const marks = marksOf(activity);
  showCount(part(element, "reply"), activity.replies_count, "Reply", "reply", "replies");
  showCount(part(element, "repost"), activity.reposts_count, "Repost", "repost", "reposts", marks.reposted);
  showCount(part(element, "like"), activity.likes_count, "Like", "like", "likes", marks.liked);
}

/**
 * @param {HTMLElement} control
 * @param {number} count
 * @param {string} verb
 * @param {string} one
 * @param {string} many
 * @param {boolean | null} [isPressed]
 */
function showCount(control, count, verb, one, many, isPressed) {
  part(control, "count").textContent = count > 0 ? count.toLocaleString("en") : "";
  control.ariaLabel = `${verb}, ${counted(count, one, many)}`;
  if (isPressed !== undefined) {
    control.ariaPressed = String(isPressed === true);
  }
}

/**
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 * @param {Shape} shape
 */
function wire(element, activity, shape) {
  part(element, "like").addEventListener("click", () => mark(element, activity, "like"));
  part(element, "repost").addEventListener("click", () => mark(element, activity, "repost"));
  const { onReply } = shape;
  if (onReply) {
    part(element, "reply").addEventListener("click", (event) => (event.preventDefault(), onReply(activity)));
  }
  const menu = /** @type {HTMLDetailsElement} */ (part(element, "menu"));
  menu.addEventListener("toggle", () => menu.open && fillMenu(menu, element, activity));
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}

/**
 * Likes or reposts, or takes that back. The change is shown at once; the answer or a failure corrects it.
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 * @param {"like" | "repost"} kind
 */
async function mark(element, activity, kind) {
  if (!isSignedIn()) {
    toast(`Sign in to ${kind} a post.`, { label: "Sign in", act: signIn });
    return;
  }
  const member = kind === "like" ? "liked" : "reposted";
  const counter = kind === "like" ? "likes_count" : "reposts_count";
  const before = { ...activity };
  const isMarked = marksOf(activity)[member];
  setMarks(activity.uuid, { [member]: !isMarked });
  Object.assign(activity, { [counter]: Math.max(0, activity[counter] + (isMarked ? -1 : 1)) });
  showCounts(element, activity);
  const path = `/api/activities/${activity.uuid}/${kind}`;
  try {
    const { likes_count, reposts_count, replies_count, liked, reposted } = isMarked ? await remove(path) : await put(path);
    Object.assign(activity, { likes_count, reposts_count, replies_count, liked, reposted });
    announce(isMarked ? `${kind} taken back` : kind === "like" ? "liked" : "reposted");
  } catch (error) {
    Object.assign(activity, before);
    failed(element, error);
  }
  setMarks(activity.uuid, { [member]: undefined });
  renewPost(element, activity);
}

/**
 * @param {HTMLElement} element
 * @param {unknown} error
 */
function failed(element, error) {
  toast(sentenceOf(error));
  if (isGone(error)) {
    expire(element);
  }
}

/**
 * @param {HTMLDetailsElement} menu
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 */
function fillMenu(menu, element, activity) {
  const close = () => {
    if (menu.contains(document.activeElement)) {
      menu.querySelector("summary")?.focus();
    }
    menu.open = false;
  };
  const outside = (/** @type {Event} */ event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) {
      close();
    }
  };
  document.addEventListener("click", outside);
  menu.addEventListener("toggle", () => document.removeEventListener("click", outside), { once: true });
  const copy = async () => {
    close();
    await navigator.clipboard.writeText(location.origin + postPath(activity)).catch(() => {});
    toast("The link is copied.");
  };
  const items = part(menu, "items");
  items.replaceChildren(
    h("button", { type: "button", class: "plain", onclick: copy }, "Copy link"),
    activity.likes_count > 0 ? h("a", { class: "button plain", href: `${postPath(activity)}/likes`, onclick: close }, "Who likes it") : "",
    activity.reposts_count > 0 ? h("a", { class: "button plain", href: `${postPath(activity)}/reposts`, onclick: close }, "Who reposted it") : "",
  );
  if (isOwn(activity.handle)) {
    if (activity.reply_to_activity_uuid === null && activity.expires_at !== null) {
      items.append(keepForm(element, activity, close));
    }
    items.append(h("button", { type: "button", class: "plain danger", onclick: () => (close(), deletePost(element, activity)) }, "Delete"));
  } else if (isSignedIn()) {
    items.append(hideButton(activity, "mute", "Mute", close), hideButton(activity, "block", "Block", close), reportForm(element, activity, close));
  }
  items.scrollIntoView({ block: "nearest" });
}

/**
 * A button that mutes or blocks the author, whose posts then leave every list; the undo brings them back.
 * @param {Api.Activity} activity
 * @param {"mute" | "block"} what
 * @param {string} verb
 * @param {() => void} close
 */
function hideButton(activity, what, verb, close) {
  const path = userDeed(activity.handle, what);
  const undo = async () => {
    try {
      await remove(path);
      reload();
    } catch (error) {
      toast(sentenceOf(error));
    }
  };
  const hide = async () => {
    close();
    try {
      await put(path);
      toast(`@${activity.handle} is ${what === "mute" ? "muted" : "blocked"}.`, { label: "Undo", act: undo });
      reload();
    } catch (error) {
      toast(sentenceOf(error));
    }
  };
  return h("button", { type: "button", class: "plain", onclick: hide }, `${verb} @${activity.handle}`);
}

/**
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 * @param {() => void} close
 */
function reportForm(element, activity, close) {
  const reason = h("input", { "aria-label": "Why it is reported", placeholder: "What is wrong with it?", maxlength: 500, required: true });
  const report = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await post(`/api/activities/${activity.uuid}/report`, { reason: reason.value }, newKey());
      close();
      toast("It is reported.");
    } catch (error) {
      failed(element, error);
    }
  };
  return h("form", { class: "keep", onsubmit: report }, h("span", {}, "Report"), reason, h("button", { type: "submit" }, "Report"));
}

/**
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 * @param {() => void} close
 */
function keepForm(element, activity, close) {
  const select = lifetimeSelect(usualLifetime(), { "aria-label": "Keep for" });
  const keep = async (/** @type {Event} */ event) => {
    event.preventDefault();
    close();
    try {
      const { expires_at } = await put(`/api/activities/${activity.uuid}/keep`, { ttl: select.value });
      const isLonger = expires_at !== activity.expires_at;
      Object.assign(activity, { expires_at });
      renewPost(element, activity);
      toast(isLonger ? `It is kept until ${exactTime(expires_at)}.` : "It lives longer than that already.");
    } catch (error) {
      failed(element, error);
    }
  };
  return h("form", { class: "keep", onsubmit: keep }, h("span", {}, "Keep for"), select, h("button", { type: "submit" }, "Keep"));
}

/**
 * @param {HTMLElement} element
 * @param {Api.Activity} activity
 */
function deletePost(element, activity) {
  leaving.add(activity.uuid);
  deleteWithUndo(element, "post", `/api/activities/${activity.uuid}`, () => {
    leaving.delete(activity.uuid);
    if (!element.isConnected) {
      reload(); // the shown list has dropped the post
    }
  });
}

/**
 * Hides an element, and a little later deletes its content, unless the visitor undoes that.
 * @param {HTMLElement} element
 * @param {string} what
 * @param {string} path
 * @param {() => void} [onBack] the element is shown again
 */
export function deleteWithUndo(element, what, path, onBack) {
  passFocus(element);
  element.hidden = true;
  const back = () => {
    element.hidden = false;
    if (document.activeElement === document.body) {
      element.focus({ preventScroll: true });
    }
    onBack?.();
  };
  const act = async () => {
    try {
      await remove(path);
    } catch (error) {
      if (!isGone(error)) {
        back();
        toast(sentenceOf(error));
        return;
      }
    }
    expire(element);
  };
  toastWithUndo(`The ${what} is deleted.`, act, back);
}
