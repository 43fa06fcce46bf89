import type { AttemptRef } from "../../../consumer/work-order.ts";

interface CallUnderWay {
  attempt: AttemptRef;
  controller: AbortController;
  /** Unix ms. */
  deadlineAt: number;
}

/**
 * The calls that an object makes itself, each with what gives it up. One timer watches over the deadlines of all: to set and clear one for every
 * call would cost a chain of short calls more than the rest of the call's preparation. It is gone when the last call is, since a timer keeps the object in memory.
 */
export class CallsUnderWay {
  readonly #now: () => number;
  /** By its signal: another workflow may take this one's id, and make a call for an attempt of the same number. */
  readonly #calls = new Map<AbortSignal, CallUnderWay>();
  #timer: { at: number; id: ReturnType<typeof setTimeout> } | null = null;

  /** `now`: Unix ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes a call; its signal fires at the deadline (24 days ahead at most, the longest delay of a timer), or when it is given up. */
  begin(attempt: AttemptRef, deadlineAt: number): AbortSignal {
    const controller = new AbortController();
    this.#calls.set(controller.signal, { attempt, controller, deadlineAt });
    if (this.#timer === null || deadlineAt < this.#timer.at) this.#arm(deadlineAt);
    return controller.signal;
  }

  end(signal: AbortSignal): void {
    this.#calls.delete(signal);
  }

  /** Lets the timer go when nothing is under way. Not part of `end`, because the next call mostly follows at once. */
  rest(): void {
    if (this.#calls.size === 0) this.#disarm();
  }

  /** Gives up the calls whose attempts nobody wants any more; each ends as soon as it hears of it. */
  giveUp(isUnwanted: (attempt: AttemptRef) => boolean, reason: string): void {
    for (const { attempt, controller } of this.#calls.values()) if (isUnwanted(attempt)) controller.abort(new Error(reason));
  }

  #arm(at: number): void {
    this.#disarm();
    this.#timer = { at, id: setTimeout(() => this.#fire(), Math.max(0, at - this.#now())) };
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer.id);
    this.#timer = null;
  }

  #fire(): void {
    this.#timer = null;
    const now = this.#now();
    let nextAt = Infinity;
    for (const { controller, deadlineAt } of this.#calls.values()) {
      if (deadlineAt <= now) controller.abort(new DOMException("the attempt's time is over", "TimeoutError"));
      else nextAt = Math.min(nextAt, deadlineAt);
    }
    if (nextAt < Infinity) this.#arm(nextAt);
  }
}
