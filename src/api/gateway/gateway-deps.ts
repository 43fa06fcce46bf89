import type { Fetch, ReadSecret } from "../../router/language-model.ts";
import type { GatewayEntry } from "../ports/stats-port.ts";

/** What the gateway can do beside choosing models. */
export interface GatewayDeps {
  fetch: Fetch;
  /** Secrets and variables of providers. */
  secret: ReadSecret;
  /** Lets work go on after the answer was given, or its reader left. */
  keepAlive: (work: Promise<void>) => void;
  /** Enters the calls of a request into the tenant's ledger. Returns at once; entries are sent in batches. */
  enter: (tenant: string, entry: GatewayEntry) => void;
  /** Sends at once what waits here for the tenant's ledger, for who is about to read it. Never rejects. */
  flush: (tenant: string) => Promise<void>;
}
