import { checkOutboundUrl } from "../../config/public-url.ts";
import { describeSecretNames, isAllowedSecretName } from "../../config/secret-names.ts";
import type { Fault } from "../../errors.ts";
import { pointerTo } from "../../workflow/json/json-pointer.ts";
import type { HttpAgent } from "../../workflow/spec/agent.ts";

/** Headers of one connection rather than of a message (RFC 9110, 7.6.1), and those that the call itself sets. */
const RESERVED_HEADERS = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "content-length",
  "idempotency-key",
  "x-attempt",
]);

/** What is wrong with an HTTP agent that a tenant registers, all at once; the shape is taken as checked. */
export function checkHttpAgent(agent: HttpAgent, options: { tenant: string; allowPrivate: boolean }): Fault[] {
  const faults: Fault[] = [];
  const urlReason = checkOutboundUrl(agent.url, options);
  if (urlReason !== null) faults.push({ path: "/url", message: urlReason });
  for (const [name, value] of Object.entries(agent.headers)) {
    const reason = checkHeader(name, value);
    if (reason !== null) faults.push({ path: pointerTo(["headers", name]), message: reason });
  }
  if (agent.secretName !== null && !isAllowedSecretName(agent.secretName, options.tenant, "AGENT")) {
    faults.push({ path: "/secretName", message: describeSecretNames(options.tenant, "AGENT") });
  }
  return faults;
}

function checkHeader(name: string, value: string): string | null {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return "is no header name: use letters, digits and -";
  const lowerCaseName = name.toLowerCase();
  if (RESERVED_HEADERS.has(lowerCaseName) || lowerCaseName.startsWith("webhook-")) return "is set by the call itself or belongs to the connection: leave it out";
  // What fetch would refuse to send: anything but Latin-1, and line breaks, which would begin another header.
  return /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value) ? null : "has a value with line breaks, control characters or characters beyond Latin-1: encode it";
}
