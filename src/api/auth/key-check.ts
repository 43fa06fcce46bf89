import type { Log } from "../../log.ts";
import { hashKey, tenantOfKey } from "./key-format.ts";
import type { KeyPort, KeyReplica } from "../ports/key-port.ts";
import type { KnownTenants } from "../caches/known-tenants.ts";
import { createLookupLimit } from "./lookup-limit.ts";
import { refuse } from "../http/problem.ts";
import { RecentMap } from "../../recent-map.ts";

/** How long this isolate believes what it read of a key. With the 30 s that the edge may keep a replica, a revoked key stops within 60 s. */
export const KEY_FRESH_MS = 10_000;
/** While one request reads a key again, the others go on with what was known for this much longer. */
const KEY_REFRESH_MS = 10_000;
/** Keys that are held at once. Those that are good for nothing are held apart: a flood of them displaces none that works. */
const MAX_KEYS = 5_000;
const MAX_USELESS_KEYS = 5_000;
/** How long keys of a tenant that was ended are none: longer than their replicas are read, and shorter than it takes until another tenant can have its id. */
const TENANT_ENDED_MS = 120_000;
/** How often the use of a key is noted; its tenant's object then also says whether it is in force, however long KV takes to tell. */
const NOTE_EVERY_MS = 30_000;
/** What the replicas do not know is looked up in one object: by isolate and tenant so often, that guessing keys wears no object out. */
const LOOKUP_LIMIT = { perSecond: 20, burst: 100 };
/** The name under which lookups in the directory are counted: no tenant has it. */
const DIRECTORY = "";

export interface KeyCheckDeps {
  readKeyReplica: (hash: string) => Promise<KeyReplica | null>;
  tenant: (tenant: string) => Pick<KeyPort, "findKey" | "noteKeyUse">;
  /** Unix milliseconds. */
  now: () => number;
  keepAlive: (work: Promise<void>) => void;
  log: Log;
}

export interface KeyCheck {
  /** Null for a key that is not in force. */
  read(key: string): Promise<KeyReplica | null>;
  /** Whether a key of which only the id is known is in force: asked of its tenant's object now and then, and believed where that cannot be asked. */
  isInForce(id: string, tenant: string): Promise<boolean>;
  /** After a key was revoked here, or all keys of a tenant: it stops here at once, whatever its replica says. */
  end(idOrTenant: string): void;
}

interface Copy {
  grant: KeyReplica;
  readAt: number;
  isRefreshing: boolean;
  notedAt: number;
}

export function createKeyCheck(deps: KeyCheckDeps, tenants: KnownTenants): KeyCheck {
  const copies = new RecentMap<string, Copy>(MAX_KEYS);
  const useless = new RecentMap<string, number>(MAX_USELESS_KEYS);
  const lookUp = createKeyLookup(deps, tenants);
  /** Keys and tenants that were ended here. A key stays so, whatever its replica says and however long. Ids of keys and of tenants cannot be mistaken for each other. */
  const ended = new RecentMap<string, number>(MAX_USELESS_KEYS);
  /** When keys were last known to be in force of which only the id is known here. */
  const inForceAt = new RecentMap<string, number>(MAX_KEYS);
  const isEnded = ({ id, tenant }: { id: string; tenant: string }): boolean => ended.get(id) !== undefined || deps.now() - (ended.get(tenant) ?? -Infinity) < TENANT_ENDED_MS;

  const read = async (key: string, tenant: string, former: Copy | undefined): Promise<KeyReplica | null> => {
    const readAt = deps.now();
    const found = await lookUp(key, tenant);
    const grant = found === null || isEnded(found) ? null : found;
    if (grant === null) {
      copies.delete(key);
      useless.set(key, readAt);
    } else {
      copies.set(key, { grant, readAt, isRefreshing: false, notedAt: former?.notedAt ?? -Infinity });
    }
    return grant;
  };

  const isInForce = async (id: string, tenant: string): Promise<boolean> => {
    if (isEnded({ id, tenant })) return false;
    const now = deps.now();
    if (now - (inForceAt.get(id) ?? -Infinity) < NOTE_EVERY_MS) return true;
    try {
      if (await deps.tenant(tenant).noteKeyUse(id, now)) inForceAt.set(id, now);
      else end(id);
    } catch (error) {
      deps.log({ event: "key.note_failed", message: String(error) });
    }
    return !isEnded({ id, tenant });
  };

  const end = (idOrTenant: string): void => {
    ended.set(idOrTenant, deps.now());
    copies.deleteWhere((_key, { grant }) => grant.id === idOrTenant || grant.tenant === idOrTenant);
  };

  const noteUse = (copy: Copy | undefined): void => {
    const now = deps.now();
    if (copy === undefined || now - copy.notedAt < NOTE_EVERY_MS) return;
    copy.notedAt = now;
    const { id, tenant } = copy.grant;
    const noted = deps.tenant(tenant).noteKeyUse(id, now).then((isInForce) => (isInForce ? undefined : end(id)));
    deps.keepAlive(noted.catch((error: unknown) => deps.log({ event: "key.note_failed", message: String(error) })));
  };

  return {
    async read(key) {
      const tenant = tenantOfKey(key);
      if (tenant === null) return null;
      if (deps.now() - (useless.get(key) ?? -Infinity) < KEY_FRESH_MS) return null;
      const copy = copies.get(key);
      const age = copy === undefined ? Infinity : deps.now() - copy.readAt;
      if (copy !== undefined && age < KEY_FRESH_MS + (copy.isRefreshing ? KEY_REFRESH_MS : 0)) {
        noteUse(copy);
        return copy.grant;
      }
      if (copy !== undefined) copy.isRefreshing = true;
      try {
        const grant = await read(key, tenant, copy);
        noteUse(copies.get(key));
        return grant;
      } finally {
        if (copy !== undefined) copy.isRefreshing = false;
      }
    },
    isInForce,
    end,
  };
}

/** Looks keys up in their replica, or else in their tenant's object. */
function createKeyLookup(deps: KeyCheckDeps, tenants: KnownTenants): (key: string, tenant: string) => Promise<KeyReplica | null> {
  const mayLookUp = createLookupLimit(LOOKUP_LIMIT, deps.now);
  /** One that cannot be read is as good as none: the tenant's object knows. */
  const readReplica = (hash: string): Promise<KeyReplica | null> =>
    deps.readKeyReplica(hash).catch((error: unknown) => {
      deps.log({ event: "key.read_failed", message: String(error) });
      return null;
    });
  return async (key, tenant) => {
    const hash = await hashKey(key);
    const replica = await readReplica(hash);
    if (replica !== null) return replica;
    if (!tenants.isKnown(tenant)) {
      if (!mayLookUp(DIRECTORY)) refuseFlood();
      if (!(await tenants.has(tenant))) return null;
    }
    if (!mayLookUp(tenant)) refuseFlood();
    const grant = await deps.tenant(tenant).findKey(hash);
    return grant === null ? null : { tenant, ...grant };
  };
}

function refuseFlood(): never {
  refuse("rate_limited", "Too many unknown keys: try again in a second.");
}
