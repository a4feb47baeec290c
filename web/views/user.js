/* A user's page. */

import { apiUser, put, remove, sentenceOf } from "../api.js";
import { avatar } from "../avatar.js";
import { h, isolated } from "../dom.js";
import { List } from "../list.js";
import { isOwn, isSignedIn, signIn } from "../session.js";
import { counted, richText, userPath } from "../text.js";
import { toast } from "../toast.js";
import { feedPage, postKind } from "./feed.js";
import { rename } from "../router.js";

/** @typedef {import("../api.js").Profile} Profile */

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
      timeOf: (row) => row.reposted_at ?? row.created_at,
      onPage: ({ profile }) => {
        showProfile(head, profile);
        if (!isNamed) {
          isNamed = true;
          rename(profile.display_name);
        }
      },
    },
    signal,
  );
  const view = feedPage(`@${handle}`, list, head, tabs);
  view.element.querySelector("h1")?.classList.add("hidden");
  return view;
}

/**
 * @param {HTMLElement} head
 * @param {Profile} profile
 */
function showProfile(head, profile) {
  if (head.contains(document.activeElement) && head.dataset.shown === JSON.stringify(profile)) {
    return;
  }
  if (head.dataset.shown !== JSON.stringify(profile)) {
    head.dataset.shown = JSON.stringify(profile);
    const count = profile.cruds_count === 1000 ? "1000 posts or more" : counted(profile.cruds_count, "post");
    head.replaceChildren(
      h("div", { class: "profile-head" }, avatar(profile.handle), h("div", { class: "profile-actions" }, ...actions(profile))),
      h("h2", {}, isolated(profile.display_name)),
      h("p", { class: "soft" }, isolated(`@${profile.handle}`), ` · ${count}`),
      profile.bio === "" ? "" : h("p", { class: "bio", dir: "auto" }, richText(profile.bio)),
    );
  }
}

/** @param {Profile} profile */
function actions(profile) {
  if (isOwn(profile.handle)) {
    return [h("a", { class: "button", href: "/settings" }, "Edit profile")];
  }
  const follow = h("button", { type: "button", class: profile.followed ? "" : "main", "aria-pressed": String(profile.followed === true) });
  const renew = () => {
    follow.textContent = profile.followed ? "Following" : "Follow";
    follow.className = profile.followed ? "" : "main";
    follow.setAttribute("aria-pressed", String(profile.followed === true));
  };
  follow.addEventListener("click", () => toggleFollow(profile, renew));
  renew();
  return [h("a", { class: "button", href: `/messages/@${encodeURIComponent(profile.handle)}` }, "Message"), follow];
}

/**
 * @param {Profile} profile
 * @param {() => void} renew
 */
async function toggleFollow(profile, renew) {
  if (!isSignedIn()) {
    await signIn();
    return;
  }
  const path = `/api/users/@${encodeURIComponent(profile.handle)}/follow`;
  const before = profile.followed;
  profile.followed = !before;
  renew();
  try {
    profile.followed = (await (before ? remove(path) : put(path))).followed;
  } catch (error) {
    profile.followed = before;
    toast(sentenceOf(error));
  }
  renew();
}
