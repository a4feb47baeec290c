/*
 * The form for posts, replies and messages. The browser keeps the text as a draft until the service has it, through a reload, a sign-in
 * and an outage.
 *
 * States: writing; sending (the text cannot be changed, and the draft has the request's key); refused (the error is shown below, the
 * draft is kept). A text that is sent again unchanged has the same key, so that the service makes one object of both requests.
 */

import { newKey, sentenceOf } from "./api.js";
import { h } from "./dom.js";
import { isOwn, isSignedIn, onSession, ownHandle, signIn } from "./session.js";
import { load, save } from "./storage.js";
import { codePoints, isBlank } from "./text.js";
import { announce } from "./toast.js";

/** The service's names of lifetimes, and how they are shown. */
const LIFETIMES = ["1-hour", "3-hours", "12-hours", "1-day", "3-days", "7-days", "30-days"].map((name) => [name, name.replace("-", " ")]);

/** The counter is announced when this many characters are left, and at 0. */
const NEAR = 20;

/** @typedef {{text: string, ttl?: string, key?: string, sent?: string, by?: string | null}} Draft by: the visitor, unless signed out */
/**
 * @typedef {object} Kind
 * @property {string} name of the draft
 * @property {string} label
 * @property {string} placeholder
 * @property {string} button
 * @property {number} max code points
 * @property {boolean} [hasLifetime]
 * @property {boolean} [mayStay] there is also the lifetime "", without an end, as the default
 * @property {(text: string, key: string, ttl: string) => Promise<any>} send
 * @property {(made: any) => void} onSent
 */

let number = 0;

/**
 * The drafts that are being sent, by name: a composer that is made meanwhile waits for its draft too.
 * @type {Map<string, {draft: Draft, made: Promise<any>}>}
 */
const running = new Map();

onSession(() => running.clear());

/**
 * Registers a draft that is being sent. On success the stored draft is removed, unless another tab has begun another one.
 * @param {string} name
 * @param {Draft} draft
 * @param {Promise<any>} answer
 */
function run(name, draft, answer) {
  const finish = async () => {
    try {
      const made = await answer;
      const stored = /** @type {Draft | null} */ (load(name));
      if (stored?.key === draft.key && stored?.text === draft.text) {
        save(name, null);
      }
      return made;
    } finally {
      if (running.get(name) === sent) {
        running.delete(name);
      }
    }
  };
  const sent = { draft, made: finish() };
  running.set(name, sent);
  return sent.made;
}

export function usualLifetime() {
  const usual = load("lifetime");
  return LIFETIMES.some(([value]) => value === usual) ? usual : "7-days";
}

/**
 * @param {string} chosen
 * @param {Record<string, unknown>} [attributes]
 * @param {string[][]} [lifetimes]
 */
export function lifetimeSelect(chosen, attributes = {}, lifetimes = LIFETIMES) {
  return h("select", attributes, ...lifetimes.map(([value, label]) => h("option", { value, selected: value === chosen }, label)));
}

/**
 * @param {Kind} kind
 * @returns {HTMLFormElement}
 */
export function composer(kind) {
  number += 1;
  const id = `compose-${number}`;
  const draftName = `draft:${kind.name}`;
  /** @type {Draft} */
  let draft = running.get(draftName)?.draft ?? load(draftName) ?? { text: "" };
  if (isSignedIn() && draft.by && !isOwn(draft.by)) {
    draft = { text: "" }; // of another visitor, whose session has ended by itself
  }
  const field = h("textarea", { id, placeholder: kind.placeholder, rows: kind.hasLifetime && !kind.mayStay ? 3 : 2, dir: "auto", "aria-describedby": `${id}-count ${id}-error` });
  const count = h("span", { class: "count", id: `${id}-count` });
  const attributes = { id: `${id}-ttl`, onchange: () => keep() };
  const lifetime = kind.mayStay
    ? lifetimeSelect(draft.ttl ?? "", attributes, [["", "no end"], ...LIFETIMES])
    : lifetimeSelect(draft.ttl ?? usualLifetime(), attributes);
  const error = h("p", { class: "error", id: `${id}-error`, role: "alert" });
  const button = h("button", { type: "submit", class: "main" });
  let isSending = false;

  const keep = () => {
    draft = { ...draft, text: field.value, ttl: lifetime.value, by: ownHandle() ?? (field.value && draft.by) };
    save(draftName, field.value === "" ? null : draft);
  };
  const renew = () => {
    const used = codePoints(field.value.toWellFormed());
    count.textContent = `${kind.max - used}`;
    count.ariaLabel = used > kind.max ? `${used - kind.max} characters too many` : `${kind.max - used} characters left`;
    count.classList.toggle("is-over", used > kind.max);
    button.textContent = !isSignedIn() ? `Sign in to ${kind.button.toLowerCase()}` : isSending ? "Sending…" : kind.button;
    button.ariaDisabled = String(isSignedIn() && (isSending || used > kind.max || isBlank(field.value)));
    field.readOnly = isSending;
    grow(field);
  };
  const typed = () => {
    error.textContent = "";
    keep();
    renew();
    const rest = kind.max - codePoints(field.value);
    if (rest === NEAR || rest === 0) {
      announce(`${rest} characters left`);
    }
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!isSignedIn()) {
      keep();
      await signIn();
      return;
    }
    if (button.ariaDisabled === "true") {
      return;
    }
    const text = field.value.toWellFormed(); // the service refuses lone surrogates
    const content = JSON.stringify([text, kind.hasLifetime ? lifetime.value : ""]);
    draft = { ...draft, key: draft.sent === content && draft.key ? draft.key : newKey(), sent: content };
    keep();
    await waitFor(run(draftName, draft, kind.send(text, /** @type {string} */ (draft.key), lifetime.value)));
  };
  const waitFor = async (/** @type {Promise<any>} */ sent) => {
    isSending = true;
    error.textContent = "";
    renew();
    try {
      const made = await sent;
      draft = { text: "" };
      field.value = "";
      isSending = false;
      lifetime.value = kind.mayStay ? "" : lifetime.value;
      renew();
      kind.onSent(made);
    } catch (failure) {
      isSending = false;
      renew();
      error.textContent = sentenceOf(failure);
    }
  };

  field.value = draft.text;
  const form = h(
    "form",
    { class: "composer", onsubmit: submit },
    h("label", { for: id, class: "hidden" }, kind.label),
    field,
    error,
    h(
      "div",
      { class: "composer-bar" },
      kind.hasLifetime && h("label", { for: `${id}-ttl`, class: "lifetime" }, kind.mayStay ? "Lifetime" : "Gone in", " ", lifetime),
      h("span", { class: "spring" }),
      count,
      button,
    ),
  );
  field.addEventListener("input", typed);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      form.requestSubmit();
    }
  });
  const sent = running.get(draftName);
  if (sent) {
    waitFor(sent.made);
  }
  renew();
  requestAnimationFrame(() => grow(field));
  return form;
}

/** @param {HTMLTextAreaElement} field */
function grow(field) {
  field.style.height = "auto";
  if (field.scrollHeight > 0) {
    field.style.height = `${Math.min(field.scrollHeight + 2, 320)}px`;
  }
}
