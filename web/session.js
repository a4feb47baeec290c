/*
 * The session of the visitor: OpenID Connect, the authorization code flow with PKCE (RFC 7636), with discovery.
 *
 * The access token is in memory. The refresh token and the ID token are in localStorage, so that the visitor stays signed in after a reload
 * and in another tab. States: signed out; signed in without an access token (after a reload, until the first request); signed in.
 * One tab at a time renews the tokens, because an issuer that rotates refresh tokens accepts each one once.
 */

import { load, removeAll, save } from "./storage.js";
import { toast } from "./toast.js";

/** @typedef {{issuer: string, client_id: string, scope?: string, poll_seconds?: number}} Config */
/** @typedef {{issuer: string, authorization_endpoint: string, token_endpoint: string, end_session_endpoint?: string}} Discovery */
/** @typedef {{refresh_token?: string, id_token: string}} Kept */

const LOCK = "cruddur-session";
const ATTEMPTS = 3;
const PAUSE_MS = 1000;
const LIMIT_MS = 15_000;
const EARLY_MS = 30_000; // a token is renewed this long before its end, or in the last fifth of its time if that is shorter

/** @type {Config} */
export let config = { issuer: "", client_id: "" };

/** @type {Promise<Discovery> | null} */
let discovery = null;

/** @type {{token: string, renewAt: number} | null} */
let access = null;

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * The signal of a request, with a time limit: an answer may never come.
 * @param {AbortSignal} [signal] of the view
 */
export function limited(signal) {
  const limit = AbortSignal.timeout(LIMIT_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

/** @param {() => void} listener called after a sign-in or sign-out */
export function onSession(listener) {
  listeners.add(listener);
}

function tellListeners() {
  listeners.forEach((listener) => listener());
}

/** @returns {Kept | null} */
function kept() {
  return load("session");
}

export function isSignedIn() {
  return kept() !== null;
}

/**
 * The claims of the ID token, by name.
 * @returns {Record<string, any> | null}
 */
function claims() {
  const token = kept()?.id_token;
  return token ? payload(token) : null;
}

/** @param {string} token */
function payload(token) {
  const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/**
 * The subject of a stored session. A renewal does not change it.
 * @param {string | null} value
 * @returns {string | null}
 */
function subjectOf(value) {
  const session = /** @type {Kept | null} */ (JSON.parse(value ?? "null"));
  return session && payload(session.id_token).sub;
}

export function ownHandle() {
  const own = claims();
  return own === null ? null : String(own.preferred_username ?? own["cognito:username"] ?? own.sub);
}

/** @param {string | null} handle */
export function isOwn(handle) {
  const own = ownHandle();
  return own !== null && handle !== null && own.toLowerCase() === handle.toLowerCase();
}

/** Reads the configuration, and finishes a sign-in after the issuer's redirect. Returns the path to show. */
export async function startSession() {
  const answer = await ask("/web/config.json", "no-cache");
  if (!answer.ok) {
    throw new Error("/web/config.json is missing");
  }
  config = await answer.json();
  addEventListener("storage", (event) => {
    if (event.key === null || (event.key === "cruddur:session" && subjectOf(event.oldValue) !== subjectOf(event.newValue))) {
      access = null;
      tellListeners();
    }
  });
  return location.pathname === "/signed-in" ? finishSignIn() : location.pathname + location.search;
}

function discover() {
  discovery ??= fetchDiscovery().catch((error) => {
    discovery = null;
    throw error;
  });
  return discovery;
}

/**
 * Fetches a URL; tries again if the server is away for a moment.
 * @param {string} url
 * @param {RequestCache} [cache]
 * @returns {Promise<Response>}
 */
async function ask(url, cache) {
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    const answer = await fetch(url, { cache, signal: limited() }).catch(() => null);
    if (answer !== null && answer.status < 500) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return fetch(url, { cache, signal: limited() });
}

async function fetchDiscovery() {
  const answer = await ask(`${config.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const found = /** @type {Discovery} */ (await answer.json());
  if (!answer.ok || found.issuer !== config.issuer) {
    throw new Error("the issuer is another one than configured");
  }
  return found;
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** The path that is shown, to come back to, without the parameter of a failed sign-in. */
function begunPath() {
  const url = new URL(location.href);
  url.searchParams.delete("sign-in");
  return url.pathname + url.search;
}

const redirectUri = () => `${location.origin}/signed-in`;

/** Opens the issuer's page, which comes back to the path that is shown now. If the issuer does not answer, a notice says so. */
export async function signIn() {
  try {
    await leaveForIssuer();
  } catch {
    toast("The sign-in page does not answer.", { label: "Try again", act: signIn });
  }
}

async function leaveForIssuer() {
  const { authorization_endpoint: endpoint } = await discover();
  const state = randomText();
  const verifier = randomText();
  const nonce = randomText();
  sessionStorage.setItem(`sign-in:${state}`, JSON.stringify({ verifier, nonce, path: begunPath() }));
  const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: redirectUri(),
    scope: config.scope ?? "openid",
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  })) {
    url.searchParams.set(name, value);
  }
  location.assign(url);
}

/** @returns {Promise<string>} the path to show */
async function finishSignIn() {
  const query = new URLSearchParams(location.search);
  const name = `sign-in:${query.get("state")}`;
  const begun = JSON.parse(sessionStorage.getItem(name) ?? "null");
  sessionStorage.removeItem(name);
  if (begun === null || query.has("error")) {
    return "/?sign-in=failed";
  }
  const answer = await askForTokens({
    grant_type: "authorization_code",
    code: query.get("code") ?? "",
    redirect_uri: redirectUri(),
    code_verifier: begun.verifier,
  }).catch(() => null);
  const own = answer && payload(answer.id_token);
  // The token came from the issuer itself, so its signature needs no check (OpenID Connect Core 3.1.3.7).
  if (!own || own.iss !== config.issuer || ![own.aud].flat().includes(config.client_id) || own.nonce !== begun.nonce) {
    save("session", null);
    access = null;
    return "/?sign-in=failed";
  }
  return begun.path;
}

/**
 * Requests tokens and keeps them. Null if the issuer refuses the grant, or if the renewed session has ended. Throws at any other answer
 * (too many requests, a proxy's own), which says nothing about the session.
 * @param {Record<string, string>} form
 * @returns {Promise<{id_token: string} | null>}
 */
async function askForTokens(form) {
  const { token_endpoint: endpoint } = await discover();
  const answer = await fetch(endpoint, { method: "POST", body: new URLSearchParams({ ...form, client_id: config.client_id }), signal: limited() });
  if (answer.status === 400 || answer.status === 401) {
    return null;
  }
  if (!answer.ok) {
    throw new TypeError("the issuer does not answer");
  }
  const tokens = await answer.json();
  const before = kept();
  if (form.refresh_token !== undefined && before?.refresh_token !== form.refresh_token) {
    return null; // another tab has signed out meanwhile
  }
  const lifetime = Number(tokens.expires_in ?? 300) * 1000;
  access = { token: tokens.access_token, renewAt: Date.now() + lifetime - Math.min(EARLY_MS, lifetime / 5) };
  const next = { refresh_token: tokens.refresh_token ?? before?.refresh_token, id_token: tokens.id_token ?? before?.id_token };
  save("session", next);
  return next;
}

/**
 * The access token, renewed if necessary. Null if the visitor is signed out, or the session has ended.
 * @param {string} [refused] a token that the service has refused
 * @returns {Promise<string | null>}
 */
export async function accessToken(refused) {
  if (!isSignedIn()) {
    return null;
  }
  if (access === null || access.renewAt <= Date.now() || access.token === refused) {
    const before = access;
    await navigator.locks.request(LOCK, async () => {
      if (access === before) {
        await renew();
      }
    });
  }
  return access?.token ?? null;
}

async function renew() {
  const token = kept()?.refresh_token;
  const isRenewed = token && (await askForTokens({ grant_type: "refresh_token", refresh_token: token }));
  if (!isRenewed && kept()?.refresh_token === token) {
    forget();
  }
}

function forget() {
  access = null;
  save("session", null);
  tellListeners();
}

/** Signs out here and at the issuer. A renewal in progress ends first, so that its tokens are not kept. */
export async function signOut() {
  dispatchEvent(new Event("pagehide")); // deletions that wait for an undo are sent while there is a token
  removeAll("draft:");
  const token = await navigator.locks.request(LOCK, async () => {
    const last = kept()?.id_token;
    forget();
    return last;
  });
  const { end_session_endpoint: endpoint } = await discover().catch(() => ({ end_session_endpoint: undefined }));
  if (!endpoint) {
    location.assign("/");
    return;
  }
  const url = new URL(endpoint);
  url.searchParams.set("client_id", config.client_id);
  url.searchParams.set("post_logout_redirect_uri", `${location.origin}/`);
  url.searchParams.set("logout_uri", `${location.origin}/`); // Cognito's name for it
  if (token) {
    url.searchParams.set("id_token_hint", token);
  }
  location.assign(url);
}
