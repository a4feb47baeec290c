/* The posts and reposts of those that the visitor follows. */

import { feedPage, postKind, signInPage } from "./feed.js";
import { List } from "../list.js";

/** @type {import("../router.js").MakeView} */
export function show({ signal }) {
  const list = () =>
    new List(
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
  return signInPage("Following", "Sign in to see what the people that you follow have posted.") ?? feedPage("Following", list());
}
