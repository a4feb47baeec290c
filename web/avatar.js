/* Makes the picture of a handle, always the same one: five by five fields in two colours, the right half a mirror image of the left.
 * The lightness of both colours is fixed, so that the contrast is the same for each hue. */

import { svg } from "./dom.js";

const SIDE = 5;

/**
 * FNV-1a over code points. The last steps spread a difference in the last character over all bits.
 * @param {string} text
 */
function hash(text) {
  let value = 0x811c9dc5;
  for (const character of text) {
    value = Math.imul(value ^ /** @type {number} */ (character.codePointAt(0)), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 13)) >>> 0;
}

/** @param {string | null} handle null for a deleted user */
export function avatar(handle) {
  const bits = hash((handle ?? "").normalize("NFKC").toLowerCase());
  const hue = bits % 360;
  const chroma = handle === null ? 0 : 1;
  const picture = svg("svg", { class: "avatar", viewBox: "-1 -1 7 7", "aria-hidden": "true", "shape-rendering": "crispEdges" });
  picture.append(svg("rect", { x: -1, y: -1, width: 7, height: 7, fill: `oklch(0.9 ${0.06 * chroma} ${hue})` }));
  for (let field = 0; field < 15; field += 1) {
    if ((bits >>> (field + 9)) & 1) {
      const x = field % 3;
      const y = Math.floor(field / 3);
      const fill = `oklch(0.42 ${0.16 * chroma} ${(hue + 25) % 360})`;
      for (const column of new Set([x, SIDE - 1 - x])) {
        picture.append(svg("rect", { x: column, y, width: 1, height: 1, fill }));
      }
    }
  }
  return picture;
}
