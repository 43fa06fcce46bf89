import type { ApiDeps } from "../api-deps.ts";
import type { KnownTenants } from "../caches/known-tenants.ts";
import { refuse } from "../http/problem.ts";
import { OPERATOR_TENANT } from "../stored-tiers.ts";
import type { KeyCheck } from "./key-check.ts";
import type { Scope } from "./scopes.ts";
import { readStreamToken } from "./stream-token.ts";

/** Whom a request acts for. */
export interface Caller {
  tenant: string;
  isRoot: boolean;
  /** The id of its key, or of the one that its stream token was made with; null for the root key. */
  keyId: string | null;
  /** What it may do; the root key may do everything. */
  scopes: readonly Scope[];
}

/** Checks the credentials of one request. `streamOf`: the workflow whose streams are asked for, which a stream token may open; else null. */
export type Authenticate = (request: Request, streamOf: string | null) => Promise<Caller>;

/** Keeps the digest of the root key, so that it is made once per isolate. */
export function createAuthenticate(deps: Pick<ApiDeps, "rootKey" | "now">, keys: Pick<KeyCheck, "read" | "isInForce">, tenants: Pick<KnownTenants, "has">): Authenticate {
  const { rootKey } = deps;
  let rootDigest: Uint8Array | null = null;
  // A key that was right stays right for as long as this isolate lives. A set compares hashes first, so it tells nobody how much of a key is right.
  const accepted = new Set<string>();
  return async (request, streamOf) => {
    if (rootKey === null || rootKey === "") refuse("not_configured", "No root key is configured: set the secret ROOT_KEY (`wrangler secret put ROOT_KEY`, or ROOT_KEY in .dev.vars for local work).");
    const key = /^bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (key === undefined) {
      const token = streamOf === null ? null : new URL(request.url).searchParams.get("token");
      const claims = token === null || streamOf === null ? null : await readStreamToken(token, { rootKey, workflowId: streamOf, now: deps.now() });
      if (claims !== null) return readTokenCaller(claims, keys);
      refuse("unauthorized", token === null ? "Send a key: `Authorization: Bearer <key>`." : "The stream token is over, or is not for this workflow: ask for a new one.");
    }
    if (!accepted.has(key)) {
      rootDigest ??= await digest(rootKey);
      if (!isEqual(await digest(key), rootDigest)) {
        const grant = (await keys.read(key)) ?? refuse("unauthorized", "The key is not known, or was revoked.");
        return { tenant: grant.tenant, isRoot: false, keyId: grant.id, scopes: grant.scopes };
      }
      accepted.add(key);
    }
    const tenant = request.headers.get("x-tenant") ?? OPERATOR_TENANT;
    if (!(await tenants.has(tenant))) refuse("not_found", "X-Tenant names no tenant.");
    return { tenant, isRoot: true, keyId: null, scopes: [] };
  };
}

/** Who opens streams with a token: for as long as the key is in force that it was made with. */
async function readTokenCaller({ tenant, keyId }: { tenant: string; keyId: string | null }, keys: Pick<KeyCheck, "isInForce">): Promise<Caller> {
  if (keyId !== null && !(await keys.isInForce(keyId, tenant))) refuse("unauthorized", "The key that this stream token was made with was revoked.");
  return { tenant, isRoot: false, keyId, scopes: ["workflows:read"] };
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Takes as long for digests that differ early as for equal ones. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.byteLength ^ right.byteLength;
  for (let at = 0; at < left.byteLength; at += 1) difference |= left[at]! ^ right[at]!;
  return difference === 0;
}
