/* Growth: four numbers, charts of each day's new users and posts, and the same figures as a table and as CSV. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { counted } from "../text.js";
import { heading } from "./feed.js";


const PERIODS = [7, 30, 90, 365];
const SCRIPT = "/web/vendor/uPlot.iife.min.js";
const HEIGHT = 180;

const shortDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });

/** @type {Promise<any> | null} */
let library = null;

/** Loads the chart library, which only this view uses; null if it cannot be loaded now. The Trusted Types policy returns only its address. */
function loadLibrary() {
  library ??= new Promise((resolve) => {
    const { trustedTypes } = /** @type {any} */ (window);
    const policy = trustedTypes?.createPolicy("charts", { createScriptURL: () => SCRIPT });
    const failed = () => {
      library = null;
      resolve(null);
    };
    const script = h("script", { onload: () => resolve(/** @type {any} */ (window).uPlot), onerror: failed });
    script.src = policy ? policy.createScriptURL("") : SCRIPT;
    document.head.append(script);
  });
  return library;
}

/** @type {import("../router.js").MakeView} */
export function show({ query, signal }) {
  const wanted = PERIODS.find((period) => String(period) === query.get("days")) ?? 7;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const body = h("div", { "aria-busy": "true" }, h("p", { class: "note" }, "Loading…"));
  const element = h("div", { class: "view growth" }, heading("Growth"), body);
  /** @type {(() => void) | null} */
  let draw = null;
  const redraw = () => draw?.();
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const load = async () => {
    const growth = /** @type {Api.Growth} */ ((await get(`/api/metrics/growth?tz=${encodeURIComponent(zone)}&days=${wanted}`, signal)).body);
    const charts = h("div", { class: "charts" });
    body.ariaBusy = "false";
    body.replaceChildren(...parts(growth, charts));
    const plot = await loadLibrary();
    draw = plot && (() => drawCharts(plot, charts, growth));
    redraw();
  };
  return {
    title: "Growth",
    element,
    resume: () => {
      scheme.addEventListener("change", redraw);
      addEventListener("resize", redraw);
      if (draw === null) {
        load().catch((error) => !signal.aborted && body.replaceChildren(h("p", { class: "error", role: "alert" }, error.message)));
      }
    },
    pause: () => {
      scheme.removeEventListener("change", redraw);
      removeEventListener("resize", redraw);
    },
  };
}

/**
 * @param {Api.Growth} growth
 * @param {HTMLElement} charts
 */
function parts(growth, charts) {
  const days = growth.days.length;
  const users = sum(growth.days, "users");
  const posts = sum(growth.days, "posts");
  return [
    h(
      "dl",
      { class: "numbers" },
      number(growth.users, "users in all"),
      number(growth.posts, "posts in all"),
      number(users, `new ${users === 1 ? "user" : "users"} in ${days} days`),
      number(posts, `new ${posts === 1 ? "post" : "posts"} in ${days} days`),
    ),
    h(
      "div",
      { class: "growth-bar" },
      h("p", { class: "soft" }, `The last ${days} days, today included. Days begin at midnight of ${growth.time_zone.replace(/_/g, " ")}.`),
      periods(days),
      h("button", { type: "button", onclick: () => print() }, "Print"),
      h("a", { class: "button", download: `cruddur-growth-${growth.days.at(-1)?.date}.csv`, href: csvAddress(growth) }, "CSV"),
    ),
    charts,
    table(growth),
  ];
}

/**
 * @param {number} value
 * @param {string} label
 */
function number(value, label) {
  return h("div", {}, h("dt", {}, label), h("dd", {}, value.toLocaleString("en")));
}

/**
 * @param {Api.GrowthDay[]} days
 * @param {"users" | "posts" | "replies"} member
 */
function sum(days, member) {
  return days.reduce((total, day) => total + day[member], 0);
}

/** @param {number} days */
function periods(days) {
  const links = PERIODS.map((period) => h("a", { href: `/growth?days=${period}`, "aria-current": period === days ? "page" : null }, String(period)));
  return h("nav", { class: "tabs", "aria-label": "Days" }, h("span", { class: "soft" }, "Days"), ...links);
}

/** @param {Api.Growth} growth */
function table(growth) {
  const row = (/** @type {Api.GrowthDay} */ day) =>
    h("tr", {}, h("th", { scope: "row" }, day.date), ...[day.users, day.posts, day.replies].map((value) => h("td", {}, value.toLocaleString("en"))));
  return h(
    "table",
    {},
    h("caption", {}, "Each day’s new users, posts and replies"),
    h("thead", {}, h("tr", {}, ...["Day", "Users", "Posts", "Replies"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...growth.days.map(row).reverse()),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "In all, ever"), ...[growth.users, growth.posts, growth.replies].map((value) => h("td", {}, value.toLocaleString("en"))))),
  );
}

/** @param {Api.Growth} growth */
function csvAddress(growth) {
  const lines = [["date", "users", "posts", "replies"], ...growth.days.map((day) => [day.date, day.users, day.posts, day.replies])];
  return `data:text/csv;charset=utf-8,${encodeURIComponent(lines.map((line) => `${line.join(",")}\r\n`).join(""))}`;
}

/**
 * @param {any} plot uPlot
 * @param {HTMLElement} charts
 * @param {Api.Growth} growth
 */
function drawCharts(plot, charts, growth) {
  const boxes = [
    { member: /** @type {const} */ ("users"), title: "New users each day", variable: "--accent" },
    { member: /** @type {const} */ ("posts"), title: "New posts each day", variable: "--ember" },
  ].map(({ member, title, variable }) => {
    const total = sum(growth.days, member);
    const box = h("div", { class: "chart", role: "img", "aria-label": `${title}: ${counted(total, member.slice(0, -1))} in ${growth.days.length} days` });
    return { figure: h("figure", {}, h("figcaption", {}, title), box), box, member, variable };
  });
  charts.replaceChildren(...boxes.map(({ figure }) => figure));
  boxes.forEach(({ box, member, variable }) => drawChart(plot, box, growth.days, member, variable));
}

/**
 * @param {any} plot
 * @param {HTMLElement} box
 * @param {Api.GrowthDay[]} days
 * @param {"users" | "posts"} member
 * @param {string} variable
 */
function drawChart(plot, box, days, member, variable) {
  const colour = colourOf(box, variable);
  const soft = colourOf(box, "--soft");
  const line = colourOf(box, "--line");
  const values = days.map((day) => day[member]);
  const highest = Math.max(...values, 4);
  const axis = { stroke: soft, grid: { show: false }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  new plot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [12, 20, 0, 0],
      scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: [0, highest * 1.1] } },
      axes: [
        { ...axis, size: 28, splits: () => splits(days.length, box.clientWidth), values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((index) => shortDay.format(new Date(days[index].date))) },
        { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000], grid: { show: true, stroke: line, width: 1 } },
      ],
      series: [{}, { fill: colour, stroke: colour, width: 0, points: { show: false }, paths: plot.paths.bars({ size: [0.7, 48], radius: 0.12 }) }],
    },
    [days.map((_, index) => index), values],
    box,
  );
}

/**
 * The indexes of the days whose date is shown: as many as there is room for, always with today.
 * @param {number} count
 * @param {number} width
 */
function splits(count, width) {
  const every = Math.ceil(count / Math.max(2, Math.floor(width / 64)));
  const found = [];
  for (let index = count - 1; index >= 0; index -= every) {
    found.unshift(index);
  }
  return found;
}

/**
 * A variable of the style sheet as a colour that a canvas accepts.
 * @param {HTMLElement} box
 * @param {string} variable
 */
function colourOf(box, variable) {
  box.style.color = `var(${variable})`;
  const { color } = getComputedStyle(box);
  box.style.color = "";
  return color;
}
