import type { Fetch } from "../language-model.ts";

/** The headers in which provider packages put the API key. */
const KEY_HEADERS = ["authorization", "x-api-key", "x-goog-api-key"];

/**
 * Redirects of a call are not followed: the answer's status says so, and a key never travels to another origin.
 * Without a key the empty key headers of the packages are left out.
 */
export function guardFetch(fetch: Fetch, apiKey: string | null): Fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (apiKey === null) for (const name of KEY_HEADERS) headers.delete(name);
    return fetch(input, { ...init, headers, redirect: "manual" });
  };
}
