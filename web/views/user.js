/* A user's page. */

import { apiUser, put, remove, sentenceOf, userDeed } from "../api.js";
import { avatar } from "../avatar.js";
import { h, isolated } from "../dom.js";
import { List } from "../list.js";
import { isOwn, isSignedIn, signIn } from "../session.js";
import { conversationPath, counted, richText, userPath } from "../text.js";
import { toast } from "../toast.js";
import { feedPage, postKind } from "./feed.js";
import { reload, rename } from "../router.js";


/** @type {import("../router.js").MakeView} */
export function show({ params: [handle], query, signal }) {
  const isWithReplies = query.get("with") === "replies";
  const head = h("section", { class: "profile" });
  const tabs = h(
    "nav",
    { class: "tabs", "aria-label": "What is shown" },
    h("a", { href: userPath(handle), "aria-current": isWithReplies ? null : "page" }, "Posts and reposts"),
    h("a", { href: `${userPath(handle)}?with=replies`, "aria-current": isWithReplies ? "page" : null }, "With replies"),
  );
  let isNamed = false;
  const list = new List(
    {
      ...postKind(),
      path: `${apiUser(handle)}?with=${isWithReplies ? "replies,reposts" : "reposts"}`,
      label: "Posts",
      empty: "Nothing that still lives.",
      rowsOf: (page) => page.activities,
      onGone: () => {
        head.hidden = tabs.hidden = true;
        title?.classList.remove("hidden");
        return "This user is not here. The handle may be wrong, or the account is gone.";
      },
      timeOf: (row) => row.reposted_at ?? row.created_at,
      onPage: ({ profile }) => {
        showProfile(head, profile);
        if (!isNamed) {
          isNamed = true;
          rename(view.element, profile.display_name);
        }
      },
    },
    signal,
  );
  const view = feedPage(`@${handle}`, list, head, tabs);
  const title = view.element.querySelector("h1");
  title?.classList.add("hidden");
  return view;
}

/**
 * @param {HTMLElement} head
 * @param {Api.Profile} profile
 */
function showProfile(head, profile) {
  if (head.dataset.shown !== JSON.stringify(profile)) {
    head.dataset.shown = JSON.stringify(profile);
    const focused = head.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    const count = profile.cruds_count === 1000 ? "1000 posts or more" : counted(profile.cruds_count, "post");
    head.replaceChildren(
      h("div", { class: "profile-head" }, avatar(profile.handle), h("div", { class: "profile-actions" }, ...actions(profile))),
      h("h2", {}, isolated(profile.display_name)),
      h("p", { class: "soft" }, isolated(`@${profile.handle}`), ` · ${count}`),
      profile.bio === "" ? "" : h("p", { class: "bio", dir: "auto" }, richText(profile.bio)),
    );
    if (focused !== null) {
      [.../** @type {NodeListOf<HTMLElement>} */ (head.querySelectorAll("a, button"))].find((control) => nameOf(control) === focused)?.focus({ preventScroll: true });
    }
  }
}

/**
 * Identifies a control of the profile, to focus it again when the profile is made anew.
 * @param {Element | null} control
 */
function nameOf(control) {
  return control?.getAttribute("data-deed") ?? control?.getAttribute("href") ?? "";
}

/** @param {Api.Profile} profile */
function actions(profile) {
  if (isOwn(profile.handle)) {
    return [h("a", { class: "button", href: "/settings" }, "Edit profile")];
  }
  const hiding = isSignedIn() ? [toggle(profile, "muted", "mute", ["Mute", "Unmute"]), toggle(profile, "blocked", "block", ["Block", "Unblock"])] : [];
  if (profile.blocked) {
    return hiding;
  }
  return [h("a", { class: "button", href: conversationPath(profile.handle) }, "Message"), ...hiding, toggle(profile, "followed", "follow", ["Follow", "Following"])];
}

/**
 * A button that follows, mutes or blocks the user, or undoes that.
 * @param {Api.Profile} profile
 * @param {"followed" | "muted" | "blocked"} member
 * @param {string} what
 * @param {[string, string]} labels when it is off, when it is on
 */
function toggle(profile, member, what, labels) {
  const button = h("button", { type: "button", "data-deed": what });
  const renew = () => {
    button.textContent = labels[profile[member] ? 1 : 0];
    button.className = member === "followed" && !profile.followed ? "main" : "";
    button.ariaPressed = String(profile[member] === true);
  };
  button.addEventListener("click", async () => {
    if (!isSignedIn()) {
      await signIn();
      return;
    }
    const path = userDeed(profile.handle, what);
    const before = profile[member];
    profile[member] = !before;
    renew();
    try {
      profile[member] = (await (before ? remove(path) : put(path)))[member];
      if (member === "blocked") {
        reload();
      }
    } catch (error) {
      profile[member] = before;
      toast(sentenceOf(error));
    }
    renew();
  });
  renew();
  return button;
}
