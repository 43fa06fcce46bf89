import { z } from "zod";
import { decodeBase64Url, encodeBase64Url } from "../http/base64url.ts";

/** How long a stream token opens new streams (contract). One that is open stays open, as long as the key is in force that the token was made with. */
export const STREAM_TOKEN_LIFE_MS = 300_000;

/** Sets these tokens apart from whatever else may be signed under the root key. */
const PURPOSE = "weft stream token 2";

/** `keyId`: the key that the token was made with; null: the root key. */
const Claims = z.strictObject({ tenant: z.string(), keyId: z.string().nullable(), workflowId: z.string(), expiresAt: z.int() });
type Claims = z.infer<typeof Claims>;

/**
 * A read-only credential for one workflow's streams that needs no storage: the claims and their HMAC-SHA256 under a key derived from
 * the root key. Changing the root key ends all of them.
 */
export async function createStreamToken(claims: Claims, rootKey: string): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  const signature = await crypto.subtle.sign("HMAC", await deriveKey(rootKey), payload);
  return `${encodeBase64Url(payload)}.${encodeBase64Url(new Uint8Array(signature))}`;
}

/** Whom a valid token for this workflow speaks for; null for any other. The signature is compared in constant time. */
export async function readStreamToken(token: string, expected: { rootKey: string; workflowId: string; now: number }): Promise<Pick<Claims, "tenant" | "keyId"> | null> {
  const [payload, signature, rest] = token.split(".", 3).map(decodeBase64Url);
  if (payload == null || signature == null || rest !== undefined) return null;
  const isValid = await crypto.subtle.verify("HMAC", await deriveKey(expected.rootKey), signature, payload);
  if (!isValid) return null;
  const claims = Claims.parse(JSON.parse(new TextDecoder().decode(payload)));
  return claims.workflowId === expected.workflowId && expected.now < claims.expiresAt ? claims : null;
}

async function deriveKey(rootKey: string): Promise<CryptoKey> {
  const rootHmac = await importKey(new TextEncoder().encode(rootKey));
  const derived = await crypto.subtle.sign("HMAC", rootHmac, new TextEncoder().encode(PURPOSE));
  return importKey(new Uint8Array(derived));
}

function importKey(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}
