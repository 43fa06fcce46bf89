import type { KeyGrant, KeyPort, KeyReplica, ListedKey } from "../../api/ports/key-port.ts";
import type { Page } from "../../api/ports/workflow-port.ts";
import type { Problem } from "../../errors.ts";
import type { LogEvent } from "../../log.ts";
import { isoTime } from "../storage/iso-time.ts";
import { cutPage, NO_CURSOR, readCursor } from "../../api/http/list-position.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/** Keys of one tenant that are in force: enough for one per service and person, few enough to end them all at once. */
export const MAX_KEYS = 200;
/** How fine the time of a key's last use is. */
const USE_STEP_MS = 60_000;
/** Replicas deleted side by side: an object has six connections. */
const REPLICA_BATCH = 5;

export interface TenantKeysDeps {
  /** Unix milliseconds. */
  now: () => number;
  putKeyReplica: (hash: string, replica: KeyReplica) => Promise<void>;
  deleteKeyReplica: (hash: string) => Promise<void>;
  /** Has `finishRevocations` called later. */
  tryLater: () => void;
  log: (event: LogEvent) => void;
}

/** The keys of one tenant and their replicas. The object's table is right; a replica is written after it and never again, so that a late write cannot bring a revoked key back. */
export class TenantKeys implements KeyPort {
  readonly #store: TenantStore;
  readonly #deps: TenantKeysDeps;
  /** Writes of replicas happen one after the other, in the order of the table's. */
  #replication: Promise<unknown> = Promise.resolve();

  constructor(store: TenantStore, deps: TenantKeysDeps) {
    this.#store = store;
    this.#deps = deps;
  }

  async addKey({ id, hash, name, scopes }: Parameters<KeyPort["addKey"]>[0]): Promise<{ added: true } | Problem> {
    const { id: tenant, state } = this.#store.record.read();
    if (state !== "active") return { problem: "not_found", detail: "There is no such tenant." };
    if (this.#store.keys.count() >= MAX_KEYS) return { problem: "conflict", detail: `There are ${MAX_KEYS} keys already: revoke one first.` };
    this.#store.keys.add({ id, hash, name, scopes: [...scopes], createdAt: this.#deps.now() });
    const failure = await this.#replicate(() => this.#deps.putKeyReplica(hash, { tenant, id, scopes }));
    if (failure === null) return { added: true };
    // Nobody was shown the key, and its replica may be there all the same.
    this.#store.keys.revoke(id);
    return failure;
  }

  async listKeys({ limit, cursor }: { limit: number; cursor: string | null }): Promise<Page<ListedKey> | Problem> {
    const after = readCursor(cursor);
    if (after === undefined) return NO_CURSOR;
    const { rows, nextCursor } = cutPage(this.#store.keys.list(limit + 1, after), limit);
    const items = rows.map(({ id, name, scopes, createdAt, lastUsedAt }) => ({ id, name, scopes, createdAt: isoTime(createdAt), lastUsedAt: isoTime(lastUsedAt) }));
    return { items, nextCursor };
  }

  async revokeKey(id: string): Promise<{ revoked: true } | Problem> {
    if (!this.#store.keys.revoke(id)) return { problem: "not_found", detail: "There is no such key." };
    return (await this.finishRevocations()) ?? { revoked: true };
  }

  async findKey(hash: string): Promise<KeyGrant | null> {
    const row = this.#store.keys.findByHash(hash);
    return row === null ? null : { id: row.id, scopes: row.scopes };
  }

  async noteKeyUse(id: string, at: number): Promise<boolean> {
    this.#store.keys.noteUse(id, at, USE_STEP_MS);
    return this.#store.keys.isInForce(id);
  }

  /** Deletes the replicas of revoked keys. Null once none is left. */
  finishRevocations(): Promise<Problem | null> {
    return this.#replicate(async () => {
      const revoked = this.#store.keys.listRevoked();
      for (let start = 0; start < revoked.length; start += REPLICA_BATCH) {
        await Promise.all(
          revoked.slice(start, start + REPLICA_BATCH).map(async ({ id, hash }) => {
            await this.#deps.deleteKeyReplica(hash);
            this.#store.keys.forget(id);
          }),
        );
      }
    });
  }

  /** What fails is tried again later: as it is stored that the key is revoked, its replica is deleted then. */
  #replicate(work: () => Promise<void>): Promise<Problem | null> {
    const done = this.#replication.then(work).then(
      () => null,
      (error: unknown): Problem => {
        this.#deps.log({ event: "key.replication_failed", message: String(error) });
        this.#deps.tryLater();
        return { problem: "internal", detail: "The replicas of keys cannot be written now: try again." };
      },
    );
    this.#replication = done;
    return done;
  }
}
