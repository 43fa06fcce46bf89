interface CallUnderWay {
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
  readonly #calls = new Map<string, CallUnderWay>();
  #timer: { at: number; id: ReturnType<typeof setTimeout> } | null = null;

  /** `now`: Unix ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#calls.size;
  }

  get names(): Iterable<string> {
    return this.#calls.keys();
  }

  /** Notes a call; its signal fires at the deadline (24 days ahead at most, the longest delay of a timer), or when it is given up. */
  begin(name: string, deadlineAt: number): AbortSignal {
    const controller = new AbortController();
    this.#calls.set(name, { controller, deadlineAt });
    if (this.#timer === null || deadlineAt < this.#timer.at) this.#arm(deadlineAt);
    return controller.signal;
  }

  /** `signal`: the call's own. Another workflow may have taken this one's id since, and begun a call of the same name. */
  end(name: string, signal: AbortSignal): void {
    if (this.#calls.get(name)?.controller.signal === signal) this.#calls.delete(name);
  }

  /** Lets the timer go when nothing is under way. Not part of `end`, because the next call mostly follows at once. */
  rest(): void {
    if (this.#calls.size === 0) this.#disarm();
  }

  giveUp(name: string, reason: Error): void {
    this.#calls.get(name)?.controller.abort(reason);
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
