/** Browsers remember for a year that this host is https only. */
const STRICT_TRANSPORT_SECURITY = "max-age=31536000";

/** What every answer carries. A page's own content security policy and caching stay. */
export const ANSWER_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Stream tokens stand in addresses.
  "referrer-policy": "no-referrer",
  // For answers that are no pages: shown in a browser after all, they load and run nothing.
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** Sets what an answer lacks. One that was made with `ANSWER_HEADERS` has them: setting headers one by one is a good part of what a request to the gateway costs. */
export function secureAnswer({ headers }: Response, request: Request): void {
  if (!headers.has("x-content-type-options")) {
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) if (!headers.has(name)) headers.set(name, value);
  }
  if (request.url.startsWith("https:")) headers.set("strict-transport-security", STRICT_TRANSPORT_SECURITY);
}
