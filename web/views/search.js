/* Search for words, tags and people; without a term, trends and suggested users. */

import { poll, userDeed } from "../api.js";
import { userRow, trendList, suggestions } from "../aside.js";
import { h } from "../dom.js";
import { List } from "../list.js";
import { navigate } from "../router.js";
import { searchPath } from "../text.js";
import { heading, postKind } from "./feed.js";


/** @type {import("../router.js").MakeView} */
export function show({ query, signal }) {
  const term = (query.get("q") ?? "").trim();
  const field = h("input", { type: "search", id: "search-term", name: "q", value: term, maxlength: 300, placeholder: "Words, #tag or @handle", autocomplete: "off" });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    navigate(field.value.trim() === "" ? "/search" : searchPath(field.value.trim()));
  };
  const form = h("form", { class: "row-form", role: "search", onsubmit: submit }, h("label", { for: "search-term", class: "hidden" }, "Search"), field, h("button", { type: "submit" }, "Search"));
  const element = h("div", { class: "view" }, heading(term === "" ? "Explore" : "Search"), form);
  if (term === "") {
    element.append(h("h2", {}, "Trends of the last day"), trendList(signal), h("h2", {}, "People"), suggestions(signal));
    return { title: "Explore", element };
  }
  const people = h("div", { class: "people" });
  /** @type {List<Api.Activity>} */
  const list = new List(
    {
      ...postKind(),
      path: `/api/activities/search?term=${encodeURIComponent(term)}`,
      label: `Posts with ${term}`,
      empty: "Nothing that still lives fits. Try fewer words, or the start of one.",
      isOnce: true,
      onPage: (rows) => showPeople(people, term, rows, signal),
    },
    signal,
  );
  element.append(people, list.element);
  return { title: `Search: ${term}`, element, resume: () => list.resume(), pause: () => list.pause() };
}

/**
 * If the term begins with "@", shows the user with that handle, if there is one, and the authors of the found posts.
 * @param {HTMLElement} place
 * @param {string} term
 * @param {Api.Activity[]} rows
 * @param {AbortSignal} signal
 */
async function showPeople(place, term, rows, signal) {
  const word = term.replace(/^@/, "");
  /** @type {Map<string, Api.User>} */
  const found = new Map();
  if (/^@[^\s#"]{1,64}$/.test(term)) {
    try {
      const { body: user } = await poll(userDeed(word, "short"), signal);
      found.set(user.handle, user);
    } catch {
      // No user has exactly this handle.
    }
  }
  if (term.startsWith("@")) {
    rows.forEach((row) => found.set(row.handle, { uuid: row.uuid, handle: row.handle, display_name: row.display_name }));
  }
  place.replaceChildren(...[...found.values()].slice(0, 10).map(userRow));
}
