/*
 * A list that is kept up to date: home, Following, a user's posts, notifications.
 *
 * The list polls its first page, or the changes since the last answer, at intervals or when a stream reports a change. New rows wait behind
 * a button, so that nothing moves while the visitor reads; shown rows are updated in place. A row that has expired, or that the first page
 * should have but lacks, is removed. If the first page no longer reaches down to the known rows, the button replaces the rows by that page.
 */

import { ApiError, get, isGone, nextPage, poll, sentenceFor, sentenceOf } from "./api.js";
import { follow, isPassing, oneAtATime, pollPages } from "./live.js";
import { h, passFocus, showMore } from "./dom.js";
import { isYoung } from "./clock.js";
import { counted } from "./text.js";
import { isHeld, isLeaving } from "./post.js";
import { announce } from "./toast.js";

/**
 * @template {{uuid: string, created_at: string}} Row
 * @typedef {object} Kind
 * @property {string} path of the first page
 * @property {string} label of the list, for screen readers
 * @property {string} empty the text of an empty list
 * @property {[string, string]} words for one new row, for several
 * @property {(row: Row) => HTMLElement} make
 * @property {(element: HTMLElement, row: Row) => void} [renew]
 * @property {(row: Row) => void} [learn] called for each row of an answer
 * @property {(body: any) => Row[]} [rowsOf]
 * @property {(row: Row) => string} [timeOf] by which the list is ordered
 * @property {boolean} [isSince] polls ?since= instead of the first page
 * @property {boolean} [isOnce] not polled once it is loaded
 * @property {string} [events] the path of the stream that reports the first page's ETag
 * @property {(element: HTMLElement, row: Row) => void} [onSeen] the row is on the screen
 * @property {() => string} [onGone] the text to show if there is no such list
 * @property {(body: any) => void} [onPage] called with the first page, each time it is received
 */

/** How often a poll of a list with ?since= is for its whole first page: the changes have neither deletions nor counts. */
export const WHOLE_EVERY = 12;

/** @template {{uuid: string, created_at: string}} Row */
export class List {
  /**
   * @param {Kind<Row>} kind
   * @param {AbortSignal} signal
   */
  constructor(kind, signal) {
    this.kind = kind;
    this.signal = signal;
    /** @type {Map<string, {row: Row, element: HTMLElement}>} */
    this.shown = new Map();
    /** @type {Map<string, Row>} */
    this.waiting = new Map();
    /** A later first page that does not reach down to the known rows. @type {{rows: Row[], next: string | null} | null} */
    this.fresh = null;
    /** Rows that the visitor has made, until a page has them: unknown rows may lie between them and the rest. @type {Set<string>} */
    this.own = new Set();
    /** @type {string | null} */
    this.next = null;
    this.etag = "";
    this.since = "";
    this.turn = 0;
    this.isLoaded = false;
    /** The list cannot be loaded, now or later. */
    this.isOver = false;
    this.load = oneAtATime(() => this.loadFirst());
    this.isLoadingMore = false;
    /** The error at loading the next page, or "". After an error only the button loads it. */
    this.trouble = "";
    /** @type {(() => void) | null} */
    this.stop = null;
    this.rows = h("div", { class: "rows", role: "feed", "aria-label": kind.label, "aria-busy": "true" });
    this.newRows = h("button", { type: "button", class: "new-rows", hidden: true, onclick: () => this.reveal() });
    this.note = h("p", { class: "note", role: "status" }, "Loading…");
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.loadMore() }, "Show older ones");
    this.element = h("div", { class: "list" }, this.newRows, this.rows, this.note, this.more);
    this.rows.addEventListener("expired", (event) => this.drop(/** @type {HTMLElement} */ (event.target)));
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "200px" });
    this.observer.observe(this.more);
  }

  resume() {
    if (!this.isLoaded && !this.isOver) {
      this.load();
    }
    for (const [uuid, { row, element }] of this.shown) {
      if (isLeaving(uuid) && !element.hidden) {
        this.drop(element);
      } else {
        this.kind.renew?.(element, row);
      }
    }
    const path = this.kind.events;
    this.stop ??= follow(() => this.ask(), 1, path ? { path, isNews: ({ etag }) => etag !== this.etag } : undefined);
  }

  pause() {
    this.stop?.();
    this.stop = null;
  }

  async loadFirst() {
    try {
      const answer = await get(this.kind.path, this.signal);
      this.take(answer);
      this.rowsOf(answer.body).forEach((row) => this.add(row));
      this.next = nextPage(answer.headers);
      this.isLoaded = true;
      this.rows.ariaBusy = "false";
      this.settle();
    } catch (error) {
      if (!this.signal.aborted) {
        this.isOver = !isPassing(error);
        this.note.textContent = this.reasonOf(error);
      }
    }
  }

  /** @param {unknown} error */
  reasonOf(error) {
    return (isGone(error) && this.kind.onGone?.()) || sentenceOf(error);
  }

  /** @param {any} body */
  rowsOf(body) {
    const rows = this.kind.rowsOf ? this.kind.rowsOf(body) : /** @type {Row[]} */ (body);
    rows.forEach((row) => this.kind.learn?.(row));
    return rows;
  }

  /** @param {Row} row */
  timeOf(row) {
    return this.kind.timeOf ? this.kind.timeOf(row) : row.created_at;
  }

  /** @param {{body: any, headers: Headers}} answer */
  take(answer) {
    this.etag = answer.headers.get("ETag") ?? "";
    this.since = answer.headers.get("Cruddur-Since") ?? this.since;
    this.kind.onPage?.(answer.body);
  }

  async loadMore() {
    if (this.next === null || this.isLoadingMore) {
      return;
    }
    this.isLoadingMore = true;
    this.trouble = "";
    this.more.textContent = "Loading…";
    const { next } = this;
    try {
      const answer = await get(next, this.signal);
      if (this.next === next) {
        const count = this.rows.childElementCount;
        this.rowsOf(answer.body).forEach((row) => this.add(row));
        this.next = nextPage(answer.headers);
        showMore(this.more, this.next !== null, this.rows.children[count]);
      }
    } catch (error) {
      if (this.signal.aborted) {
        return;
      }
      if (error instanceof ApiError && error.codes.includes("cursor_invalid")) {
        this.next = null;
      } else {
        this.trouble = sentenceOf(error) || sentenceFor("");
      }
    }
    this.isLoadingMore = false;
    this.settle();
  }

  /** Polls for changes, or loads the first page if it is not loaded yet. */
  async ask() {
    if (this.isOver || (this.isLoaded && this.kind.isOnce)) {
      return;
    }
    if (!this.isLoaded) {
      await this.load();
      if (!this.isLoaded) {
        throw new Error("not loaded yet");
      }
      return;
    }
    this.turn += 1;
    try {
      await (this.kind.isSince && this.since && this.turn % WHOLE_EVERY > 0 ? this.askSince() : this.askWhole());
    } catch (error) {
      if (!isGone(error)) {
        throw error;
      }
      this.end(error);
    }
  }

  async askWhole() {
    const answer = await poll(this.kind.path, this.signal, this.etag);
    if (answer.status === 200) {
      this.take(answer);
      this.compare(this.rowsOf(answer.body), nextPage(answer.headers));
    }
  }

  /**
   * Ends the list: the user's account was deleted, or that user has blocked the visitor.
   * @param {unknown} error
   */
  end(error) {
    this.isOver = true;
    this.next = this.fresh = null;
    this.trouble = this.reasonOf(error);
    this.waiting.clear();
    this.shown.forEach(({ element }) => this.drop(element));
    this.settle();
  }

  async askSince() {
    const separator = this.kind.path.includes("?") ? "&" : "?";
    try {
      const { pages, headers } = await pollPages(`${this.kind.path}${separator}since=${encodeURIComponent(this.since)}`, this.signal);
      this.take({ body: pages[0], headers });
      pages.forEach((page) => this.rowsOf(page).forEach((row) => this.meet(row, true)));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) {
        throw error;
      }
      this.etag = ""; // a 304 has no new Cruddur-Since
      await this.askWhole();
    }
    this.settle();
  }

  /**
   * @param {Row[]} rows the first page as it is now
   * @param {string | null} next
   */
  compare(rows, next) {
    const present = new Set(rows.map((row) => row.uuid));
    const last = rows.at(-1);
    if (next !== null && !last) {
      return; // an empty page before others says nothing about any row
    }
    const end = next !== null && last ? this.timeOf(last) : "";
    for (const [uuid, { row, element }] of this.shown) {
      if (!present.has(uuid) && this.timeOf(row) > end && !isHeld(element)) {
        if (this.own.has(uuid) && isYoung(row.created_at)) {
          this.etag = ""; // the page is of another host, whose copy is a little older
        } else {
          this.drop(element);
        }
      }
    }
    for (const [uuid, row] of this.waiting) {
      if (!present.has(uuid) && this.timeOf(row) > end) {
        this.waiting.delete(uuid);
      }
    }
    const isApart = next !== null && !rows.some((row) => this.isJoined(row.uuid));
    this.fresh = isApart ? { rows, next } : null;
    if (isApart) {
      this.waiting.clear();
    }
    const newest = isApart ? "" : this.newest();
    rows.forEach((row) => this.meet(row, this.timeOf(row) > newest));
    if (!isApart) {
      rows.forEach((row) => this.own.delete(row.uuid));
    }
    this.settle();
  }

  /**
   * Whether all rows between this one and the shown ones are known.
   * @param {string} uuid
   */
  isJoined(uuid) {
    return (this.shown.has(uuid) && !this.own.has(uuid)) || (this.waiting.has(uuid) && this.fresh === null);
  }

  /** The time of the newest row that came with a page. */
  newest() {
    let newest = "";
    for (const [uuid, { row }] of this.shown) {
      newest = this.timeOf(row) > newest && !this.own.has(uuid) ? this.timeOf(row) : newest;
    }
    return newest;
  }

  /** Replaces the shown rows by the fresh page, because unknown rows lie in between. Rows that the visitor has made since stay. */
  replace() {
    const { rows, next } = this.fresh ?? { rows: [], next: this.next };
    const newest = rows[0] ? this.timeOf(rows[0]) : "";
    for (const [uuid, { row, element }] of this.shown) {
      if (this.timeOf(row) <= newest) {
        this.shown.delete(uuid);
        this.observer.unobserve(element);
        element.remove();
      }
    }
    rows.forEach((row) => (this.own.delete(row.uuid), this.add(row)));
    this.fresh = null;
    this.next = next;
    this.trouble = "";
  }

  /**
   * Takes a row of an answer: a shown row is updated, a new one waits.
   * @param {Row} row
   * @param {boolean} isNew
   */
  meet(row, isNew) {
    const known = this.shown.get(row.uuid);
    if (known) {
      Object.assign(known.row, row);
      this.kind.renew?.(known.element, known.row);
    } else if (isNew && !isLeaving(row.uuid)) {
      this.waiting.set(row.uuid, row);
    }
  }

  /**
   * @param {Row} row
   * @param {boolean} [isFirst]
   */
  add(row, isFirst = false) {
    this.waiting.delete(row.uuid);
    if (this.shown.has(row.uuid) || isLeaving(row.uuid)) {
      return;
    }
    const element = this.kind.make(row);
    this.shown.set(row.uuid, { row, element });
    this.observer.observe(element);
    if (isFirst) {
      this.rows.prepend(element);
    } else {
      this.rows.append(element);
    }
  }

  /** @param {Row} row one that the visitor has just made */
  addOwn(row) {
    this.own.add(row.uuid);
    this.etag = ""; // that of a page without this row: after a deletion a 304 would leave the row shown
    this.add(row, true);
    this.settle();
  }

  reveal() {
    if (this.fresh) {
      this.replace();
    }
    const rows = [...this.waiting.values()].sort((a, b) => (this.timeOf(a) < this.timeOf(b) ? -1 : 1));
    rows.forEach((row) => this.add(row, true));
    this.settle();
    scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (this.rows.firstElementChild)?.focus({ preventScroll: true });
  }

  /** @param {HTMLElement} element */
  drop(element) {
    const uuid = element.dataset.uuid ?? "";
    const known = this.shown.get(uuid);
    if (known?.element === element) {
      this.shown.delete(uuid);
      this.observer.unobserve(element);
      leave(element);
      this.settle();
    }
  }

  settle() {
    const count = this.waiting.size;
    const text = count === 0 ? "" : counted(count, ...this.kind.words);
    if (this.newRows.textContent !== text) {
      this.newRows.textContent = text;
      this.newRows.hidden = count === 0;
      if (text !== "") {
        announce(text);
      }
    }
    this.more.hidden = this.next === null;
    this.more.textContent = "Show older ones";
    this.note.hidden = this.trouble === "" && (this.shown.size > 0 || this.next !== null);
    this.note.textContent = this.trouble || this.kind.empty;
    if (this.next !== null && this.shown.size === 0 && this.trouble === "") {
      this.loadMore();
    }
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && target === this.more) {
        if (this.trouble === "") {
          this.loadMore();
        }
      } else if (isIntersecting) {
        const known = this.shown.get(/** @type {HTMLElement} */ (target).dataset.uuid ?? "");
        if (known) {
          this.kind.onSeen?.(known.element, known.row);
        }
      }
    }
  }
}

/**
 * Removes an element from the page, and moves the focus from it to a neighbour.
 * @param {HTMLElement} element
 */
export function leave(element) {
  passFocus(element);
  element.classList.add("is-leaving");
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (isStill || !element.isConnected) {
    element.remove();
  } else {
    element.inert = true;
    setTimeout(() => element.remove(), 350);
  }
}
