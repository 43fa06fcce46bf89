import type { StoredTiers } from "../config/tiers-cache.ts";
import type { AskModel } from "../consumer/ask-model.ts";
import type { Log } from "../log.ts";
import type { TenantPort } from "./tenant-port.ts";
import type { WorkflowPort } from "./workflow-port.ts";

/** All that the API can do beside computing. Nothing in it belongs to one request, so one app serves an isolate for its life. */
export interface ApiDeps {
  /** The operator's key; null or empty when none is set, and then nothing that needs a key is served. */
  rootKey: string | null;
  /** The object of one workflow: a fresh stub at every call, since a stub that failed once must not be used again. */
  workflow: (tenant: string, workflowId: string) => WorkflowPort;
  tenant: (tenant: string) => TenantPort;
  /** Unix milliseconds. */
  now: () => number;
  /** At least 128 random bits as letters and digits. */
  randomId: () => string;
  /** Where callbacks reach this service; null: at the origin that created the workflow. */
  publicUrl: string | null;
  /** Local work only: http and loopback are allowed. */
  allowPrivateOrigins: boolean;
  /** Why a URL may not be called on a tenant's behalf, or null. */
  checkUrl: (url: string) => string | null;
  tiers: {
    /** The tiers document as this isolate knows it: without a round trip when warm, up to a minute old. */
    read: () => Promise<StoredTiers>;
    /** Takes a document that was just written or read from the operator's object: for this isolate at once, for the others through their cache. */
    publish: (tiers: StoredTiers) => Promise<void>;
  };
  /** Asks the weakest configured model one question and gives its text; null while only the embedded engine is configured. */
  openWeakestModel: () => Promise<AskModel | null>;
  log: Log;
}
