import { RecentMap } from "../../../recent-map.ts";
import { MAX_STREAMS } from "./live-feed.ts";

/** How long a key is believed to be in force while streams that it opened show something: one that was revoked shows nothing more within 60 s (contract). */
export const KEY_CHECK_MS = 30_000;

export interface StreamKeysDeps {
  /** Unix milliseconds. */
  now: () => number;
  /** Asks the tenant's object. */
  isInForce: (keyId: string) => Promise<boolean>;
  onFault: (error: unknown) => void;
}

/** Whether the keys by which a workflow's streams were opened are still in force. Asked only while there is something to show. */
export class StreamKeys {
  readonly #deps: StreamKeysDeps;
  readonly #answers = new RecentMap<string, { askedAt: number; answer: Promise<boolean> }>(MAX_STREAMS);

  constructor(deps: StreamKeysDeps) {
    this.#deps = deps;
  }

  /** Those who ask meanwhile share one question. Where it cannot be asked the key is believed until the next one. */
  isInForce(keyId: string): Promise<boolean> {
    const now = this.#deps.now();
    const known = this.#answers.get(keyId);
    if (known !== undefined && now - known.askedAt < KEY_CHECK_MS) return known.answer;
    const answer = this.#deps.isInForce(keyId).catch((error: unknown) => {
      this.#answers.delete(keyId);
      this.#deps.onFault(error);
      return true;
    });
    this.#answers.set(keyId, { askedAt: now, answer });
    return answer;
  }
}
