/** Browsers remember for a year that this host is https only. */
const STRICT_TRANSPORT_SECURITY = "max-age=31536000";

/** For answers that are no pages: shown in a browser after all, they load and run nothing. */
const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Sets what every answer carries. A page's own content security policy and caching stay. */
export function secureAnswer({ headers }: Response, request: Request): void {
  headers.set("x-content-type-options", "nosniff");
  headers.set("x-frame-options", "DENY");
  // Stream tokens stand in addresses.
  headers.set("referrer-policy", "no-referrer");
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", DATA_POLICY);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (request.url.startsWith("https:")) headers.set("strict-transport-security", STRICT_TRANSPORT_SECURITY);
}
