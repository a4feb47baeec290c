/* The visitor's profile, and how the page looks and behaves in this browser. */

import { apiUser, call, get, put, sentenceFor, sentenceOf } from "../api.js";
import { lifetimeSelect, usualLifetime } from "../compose.js";
import { h } from "../dom.js";
import { isSignedIn, ownHandle, signIn, signOut } from "../session.js";
import { applyTheme, load, save } from "../storage.js";
import { BIO_MAX, NAME_MAX, codePoints, isBlank, userPath } from "../text.js";
import { toast } from "../toast.js";
import { heading } from "./feed.js";

/** @type {import("../router.js").MakeView} */
export function show({ signal }) {
  const element = h("div", { class: "view settings" }, heading("Settings"));
  if (isSignedIn()) {
    element.append(profileForm(signal));
  }
  element.append(browserForm());
  element.append(
    h(
      "section",
      {},
      h("h2", {}, "Account"),
      isSignedIn()
        ? h("p", {}, "You are signed in as ", h("a", { href: userPath(ownHandle() ?? "") }, h("bdi", {}, `@${ownHandle()}`)), ".")
        : h("p", {}, "You are not signed in."),
      isSignedIn()
        ? h("button", { type: "button", id: "sign-out", onclick: signOut }, "Sign out")
        : h("button", { type: "button", class: "main", onclick: signIn }, "Sign in or join"),
      isSignedIn() && h("button", { type: "button", id: "leave", onclick: leave }, "Delete my account"),
    ),
  );
  element.append(h("p", {}, h("a", { href: "/growth" }, "Growth"), " · ", h("a", { href: "/api/docs" }, "API")));
  return { title: "Settings", element };
}

/** Deletes the account and all posts, which cannot be undone. */
async function leave() {
  const handle = prompt("This deletes your account and all your posts for ever. Type your handle to go on:");
  if (handle) {
    try {
      await call("DELETE", "/api/profile", { body: { handle } });
      await signOut();
    } catch (failure) {
      toast(sentenceOf(failure));
    }
  }
}

/** @param {AbortSignal} signal */
function profileForm(signal) {
  const name = h("input", { id: "display-name", required: true, readOnly: true, autocomplete: "nickname", "aria-describedby": "profile-error" });
  const bio = h("textarea", { id: "bio", readOnly: true, rows: 4, dir: "auto", "aria-describedby": "profile-error bio-count" });
  const count = h("span", { class: "count", id: "bio-count" });
  const error = h("p", { class: "error", id: "profile-error", role: "alert" });
  const button = h("button", { type: "submit", class: "main", "aria-disabled": "true" }, "Save profile");
  const renew = () => {
    count.textContent = `${BIO_MAX - codePoints(bio.value)} left`;
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") {
      return;
    }
    error.textContent = isBlank(name.value) ? sentenceFor("display_name_blank") : codePoints(name.value) > NAME_MAX ? sentenceFor("display_name_exceed_max_chars") : "";
    if (error.textContent === "") {
      button.ariaDisabled = "true";
      try {
        await put("/api/profile/update", { display_name: name.value.toWellFormed(), bio: bio.value.toWellFormed() });
        toast("Your profile is saved.");
      } catch (failure) {
        error.textContent = sentenceOf(failure);
      }
      button.ariaDisabled = "false";
    }
  };
  const fill = async () => {
    const { body } = await get(`${apiUser(ownHandle() ?? "")}?limit=1`, signal);
    name.value = body.profile.display_name;
    bio.value = body.profile.bio;
    name.readOnly = bio.readOnly = false;
    button.ariaDisabled = "false";
    renew();
  };
  bio.addEventListener("input", renew);
  fill().catch((failure) => {
    if (!signal.aborted) {
      error.textContent = sentenceOf(failure);
    }
  });
  return h(
    "form",
    { class: "stacked", onsubmit: submit },
    h("h2", {}, "Profile"),
    h("label", { for: "display-name" }, "Name"),
    name,
    h("label", { for: "bio" }, "About you"),
    bio,
    error,
    h("div", { class: "composer-bar" }, h("span", { class: "spring" }), count, button),
  );
}

function browserForm() {
  const theme = h(
    "select",
    { id: "theme", onchange: () => (save("theme", theme.value), applyTheme()) },
    ...[
      ["auto", "As the system"],
      ["light", "Light"],
      ["dark", "Dark"],
    ].map(([value, label]) => h("option", { value, selected: value === (load("theme") ?? "auto") }, label)),
  );
  const lifetime = lifetimeSelect(usualLifetime(), { id: "lifetime", onchange: () => save("lifetime", lifetime.value) });
  const keys = h("input", { type: "checkbox", id: "keys", checked: load("keys") !== false, onchange: () => save("keys", keys.checked) });
  return h(
    "section",
    { class: "stacked" },
    h("h2", {}, "This browser"),
    h("label", { for: "theme" }, "Colours"),
    theme,
    h("label", { for: "lifetime" }, "A new post is gone in"),
    lifetime,
    h("label", { for: "keys", class: "check" }, keys, "Single keys are commands (? shows them)"),
  );
}
