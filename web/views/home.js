/* Two views: the newest posts of all users, with a form for a new one; and the posts by users that the visitor follows. */

import { feedPage, postKind, signInPage } from "./feed.js";
import { h } from "../dom.js";
import { composer } from "../compose.js";
import { isSignedIn, signIn } from "../session.js";
import { POST_MAX } from "../text.js";
import { List } from "../list.js";
import { post } from "../api.js";
import { announce } from "../toast.js";

/** @type {import("../router.js").MakeView} */
export function show({ params: [isFollowing], signal, query }) {
  return isFollowing ? following(signal) : home(signal, query);
}

/** @param {AbortSignal} signal */
function following(signal) {
  const page = signInPage("Following", "Sign in to see what the people that you follow have posted.");
  if (page) {
    return page;
  }
  const list = new List(
    {
      ...postKind(),
      path: "/api/activities/following",
      label: "Posts by people you follow",
      empty: "The people that you follow have posted nothing that still lives. Find more of them under Explore.",
      timeOf: (row) => row.reposted_at ?? row.created_at,
      isSince: true,
    },
    signal,
  );
  return feedPage("Following", list);
}

/**
 * @param {AbortSignal} signal
 * @param {URLSearchParams} query
 */
function home(signal, query) {
  const list = new List(
    {
      ...postKind(),
      path: "/api/activities/home",
      events: "/api/activities/home/events",
      label: "Newest posts",
      empty: "Nothing is here at the moment. Everything that was has expired: write something.",
    },
    signal,
  );
  const write = composer({
    name: "post",
    label: "New post",
    placeholder: "What is on your mind, for now?",
    button: "Post",
    max: POST_MAX,
    hasLifetime: true,
    send: (message, key, ttl) => post("/api/activities", { message, ttl }, key),
    onSent: (made) => {
      announce("Posted.");
      list.addOwn(made);
    },
  });
  write.id = "new-post";
  const welcome = h(
    "section",
    { class: "welcome", "aria-label": "Welcome" },
    h("p", { class: "lead" }, "Posts here don’t last."),
    h("p", {}, "Each one says how long it lives, an hour or a month, and is gone after that. Say what you think today."),
    h("button", { type: "button", class: "main", onclick: signIn }, "Sign in or join"),
  );
  const failed = !isSignedIn() && query.get("sign-in") === "failed" && h("p", { class: "error", role: "alert" }, "The sign-in did not succeed. Try again.");
  return feedPage("Home", list, failed, !isSignedIn() && welcome, write);
}
