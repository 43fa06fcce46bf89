import type { Problem } from "../../errors.ts";
import type { Scope } from "../auth/scopes.ts";
import type { Page } from "./workflow-port.ts";

/** What is known of a key that is in force. */
export interface KeyGrant {
  id: string;
  scopes: readonly Scope[];
}

/** A grant as it is replicated under its key's hash. */
export interface KeyReplica extends KeyGrant {
  tenant: string;
}

export interface ListedKey extends KeyGrant {
  name: string | null;
  createdAt: string;
  /** To within a minute or so; null for one that was never used. */
  lastUsedAt: string | null;
}

/** What of a tenant's object concerns its keys. It never sees one: they come as hashes (SHA-256, hexadecimal). */
export interface KeyPort {
  /** In force, here and in its replica, once this is answered. 409 when there are as many as there may be; 500, and no key, when it cannot be replicated. */
  addKey(key: { id: string; hash: string; name: string | null; scopes: readonly Scope[] }): Promise<{ added: true } | Problem>;
  /** Newest first. */
  listKeys(query: { limit: number; cursor: string | null }): Promise<Page<ListedKey> | Problem>;
  /** Out of force here and in its replica. 404 when there is no such key; 500 when its replica is still there: asking again, or time, does the rest. */
  revokeKey(id: string): Promise<{ revoked: true } | Problem>;
  /** Null for one that is not in force. */
  findKey(hash: string): Promise<KeyGrant | null>;
  /** Notes that a key was used at that time (Unix ms); answers whether it is in force. */
  noteKeyUse(id: string, at: number): Promise<boolean>;
}
