import type { ReserveCall } from "../../consumer/work-order.ts";
import { nameCall, type CallRef } from "../../workflow/budget/reservations.ts";
import type { ReserveAnswer, ReserveReply } from "../../workflow/budget/reserve-port.ts";

interface Waiting {
  resolve: (answer: ReserveAnswer) => void;
  reject: (error: unknown) => void;
}

/** How long a request waits for others while several attempts run: each transaction costs a disk write, whatever it holds. */
const GATHER_MS = 2;

/** Takes requests to reserve, several in one step, and keeps those who wait for their answers. */
export class ReserveDesk {
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #apply: (calls: readonly ReserveCall[]) => void;
  #gathered: ReserveCall[] = [];

  /** `apply`: takes a step with requests. What goes wrong in it is told by `fail`. */
  constructor(apply: (calls: readonly ReserveCall[]) => void) {
    this.#apply = apply;
  }

  /** Settles with the answer, whenever a step gives it. `isAlone`: no other attempt runs whose request could come. */
  ask(call: ReserveCall, isAlone: boolean): Promise<ReserveAnswer> {
    const answer = this.#wait(call);
    const isFirst = this.#gathered.push(call) === 1;
    if (isAlone) this.#flush();
    else if (isFirst) setTimeout(() => this.#flush(), GATHER_MS);
    return answer;
  }

  answer(replies: readonly ReserveReply[]): void {
    for (const { ref, answer } of replies) this.#take(nameCall(ref)).forEach(({ resolve }) => resolve(answer));
  }

  /** The memory in which the requests waited is gone: whoever still wants an answer asks again. */
  fail(error: unknown): void {
    this.#gathered = [];
    for (const name of [...this.#waiting.keys()]) this.#take(name).forEach(({ reject }) => reject(error));
  }

  #flush(): void {
    const calls = this.#gathered;
    this.#gathered = [];
    if (calls.length > 0) this.#apply(calls);
  }

  #wait(ref: CallRef): Promise<ReserveAnswer> {
    return new Promise((resolve, reject) => {
      const name = nameCall(ref);
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), { resolve, reject }]);
    });
  }

  #take(name: string): Waiting[] {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    return waiting;
  }
}
