import { decodeBase64UrlText, encodeBase64Url } from "./base64url.ts";
import type { Problem } from "../../errors.ts";
import { refuseFaulty } from "../../workflow/faults/fault-list.ts";

/** Where a page of a list ends that is sorted by time and id. */
export interface ListPosition {
  createdAt: number;
  id: string;
}

export const NO_CURSOR: Problem = refuseFaulty([{ path: "?cursor", message: "is no cursor of this list" }]);

export function writeCursor({ createdAt, id }: ListPosition): string {
  return encodeBase64Url(new TextEncoder().encode(`${createdAt}:${id}`));
}

/** Null without a cursor; undefined for what is none. */
export function readCursor(cursor: string | null): ListPosition | null | undefined {
  if (cursor === null) return null;
  const match = /^(\d{1,15}):([A-Za-z0-9_-]{1,64})$/.exec(decodeBase64UrlText(cursor) ?? "");
  return match === null ? undefined : { createdAt: Number(match[1]), id: match[2]! };
}

/** One page of the rows that were found, one more than it holds. */
export function cutPage<Row extends ListPosition>(found: readonly Row[], limit: number): { rows: Row[]; nextCursor: string | null } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  return { rows, nextCursor: found.length > limit && last !== undefined ? writeCursor(last) : null };
}
