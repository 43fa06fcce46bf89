import { nameCall, type CallRef } from "../workflow/ledger.ts";
import type { ReserveAnswer, ReserveReply } from "../workflow/reserve-port.ts";

interface Waiting {
  resolve: (answer: ReserveAnswer) => void;
  reject: (error: unknown) => void;
}

/** Callers who wait for the answers to their reserves. */
export class ReserveDesk {
  readonly #waiting = new Map<string, Waiting[]>();

  /** Settles with the answer, whenever a step gives it. */
  wait(ref: CallRef): Promise<ReserveAnswer> {
    return new Promise((resolve, reject) => {
      const name = nameCall(ref);
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), { resolve, reject }]);
    });
  }

  answer(replies: readonly ReserveReply[]): void {
    for (const { ref, answer } of replies) this.#take(nameCall(ref)).forEach(({ resolve }) => resolve(answer));
  }

  /** The memory in which the requests waited is gone: whoever still wants an answer asks again. */
  fail(error: unknown): void {
    for (const name of [...this.#waiting.keys()]) this.#take(name).forEach(({ reject }) => reject(error));
  }

  #take(name: string): Waiting[] {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    return waiting;
  }
}
