import { cutPage, readCursor } from "../../src/api/http/list-position.ts";
import type { DirectoryPort, TenantLifePort, TenantStatus } from "../../src/api/ports/directory-port.ts";
import type { KeyPort, KeyReplica, ListedKey } from "../../src/api/ports/key-port.ts";
import type { TenantPort } from "../../src/api/ports/tenant-port.ts";
import { NO_ALLOWANCE, patchAllowance } from "../../src/config/tenant-record.ts";

/** What a fake object holds of a tenant beside its data. */
export interface FakeTenant {
  status: TenantStatus;
  keys: (ListedKey & { hash: string })[];
}

/** All tenants, in the order of their creation. */
export interface FakeDirectory {
  tenants: Map<string, FakeTenant>;
  /** Ids whose data is being removed. */
  removing: Set<string>;
  answers: Map<string, { bodyHash: string; tenant: TenantStatus }>;
  /** What the edge knows of keys, by hash. */
  replicas: Map<string, KeyReplica>;
}

export function createFakeDirectory(): FakeDirectory {
  return { tenants: new Map([["default", createTenant("default", null)]]), removing: new Set(), answers: new Map(), replicas: new Map() };
}

function createTenant(id: string, createdAt: number | null): FakeTenant {
  return { status: { id, createdAt, state: "active", changedAt: createdAt ?? 0, ...NO_ALLOWANCE, spend: { spentNanoUsd: 0, reservedNanoUsd: 0, periodStart: null } }, keys: [] };
}

/** The part of a tenant's object that the directory and keys are. */
export function createFakeTenantLife(directory: FakeDirectory, id: string, now: () => number): DirectoryPort & TenantLifePort & KeyPort & Pick<TenantPort, "readTenant" | "patchTenant"> {
  const self = () => directory.tenants.get(id) ?? createTenant(id, null);
  return {
    async createTenant({ id: newId, allowance, idempotency }) {
      const earlier = directory.answers.get(idempotency?.key ?? "");
      if (earlier !== undefined) return earlier.bodyHash === idempotency?.bodyHash ? { kind: "replayed", tenant: earlier.tenant } : { problem: "conflict", detail: "another body" };
      if (directory.tenants.has(newId) || directory.removing.has(newId)) return { problem: "conflict", detail: "it is there" };
      const tenant = createTenant(newId, now());
      Object.assign(tenant.status, allowance);
      directory.tenants.set(newId, tenant);
      if (idempotency !== null) directory.answers.set(idempotency.key, { bodyHash: idempotency.bodyHash, tenant: { ...tenant.status } });
      return { kind: "created", tenant: tenant.status };
    },
    hasTenant: async (asked) => directory.tenants.has(asked),
    listTenants: async ({ limit, cursor }) => {
      const tenants = [...directory.tenants].map(([listed, { status }]) => ({ id: listed, createdAt: status.createdAt ?? 0 })).toReversed();
      const after = readCursor(cursor);
      const { rows, nextCursor } = cutPage(tenants.slice(after == null ? 0 : tenants.findIndex(({ id: listed }) => listed === after.id) + 1), limit);
      return { items: rows.map(({ id: listed }) => listed), nextCursor };
    },
    async removeTenant(asked) {
      if (asked === "default") return { problem: "conflict", detail: "it stays" };
      if (!directory.tenants.delete(asked)) return { problem: "not_found", detail: "There is no such tenant." };
      directory.removing.add(asked);
      for (const [hash, { tenant }] of directory.replicas) if (tenant === asked) directory.replicas.delete(hash);
      return { removed: true };
    },
    forgetTenant: async (asked) => void directory.removing.delete(asked),
    takeTenants: async () => ({ active: [...directory.tenants.keys()], removing: [] }),
    startTenant: () => Promise.reject(new Error("asked for by the directory only")),
    endTenant: () => Promise.reject(new Error("asked for by the directory only")),
    readTenant: async () => self().status,
    async patchTenant(patch) {
      const patched = patchAllowance(self().status, patch);
      if ("faults" in patched) return { problem: "invalid", detail: "wrong", errors: patched.faults };
      return Object.assign(self().status, patched);
    },
    async addKey({ id: keyId, hash, name, scopes }) {
      self().keys.unshift({ id: keyId, hash, name, scopes, createdAt: new Date(now()).toISOString(), lastUsedAt: null });
      directory.replicas.set(hash, { tenant: id, id: keyId, scopes });
      return { added: true };
    },
    listKeys: async ({ limit }) => ({ items: self().keys.slice(0, limit).map(({ id: keyId, name, scopes, createdAt, lastUsedAt }) => ({ id: keyId, name, scopes, createdAt, lastUsedAt })), nextCursor: null }),
    async revokeKey(keyId) {
      const { keys } = self();
      const at = keys.findIndex((key) => key.id === keyId);
      if (at === -1) return { problem: "not_found", detail: "There is no such key." };
      directory.replicas.delete(keys.splice(at, 1)[0]!.hash);
      return { revoked: true };
    },
    async findKey(hash) {
      const key = self().keys.find((known) => known.hash === hash);
      return key === undefined ? null : { id: key.id, scopes: key.scopes };
    },
    async noteKeyUse(keyId, at) {
      const key = self().keys.find((known) => known.id === keyId);
      if (key !== undefined) key.lastUsedAt = new Date(at).toISOString();
      return key !== undefined;
    },
  };
}
