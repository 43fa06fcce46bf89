import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { Executor } from "./executor.ts";
import { CallLost } from "./object.ts";
import { callObject, persist, type World } from "./world.ts";

/** Deliveries before a message goes to the dead-letter queue. */
const MAX_DELIVERIES = 3;
const BATCH_SIZE = 10;
const DEAD_LETTER_TRIES = 5;

interface Message {
  ref: AttemptRef;
  deliveries: number;
}

/** An at-least-once queue, at its worst: it loses, repeats, delays and reorders. */
export class Queue {
  readonly #world: World;
  readonly #executor: Executor;
  readonly #ready: Message[] = [];

  constructor(world: World, executor: Executor) {
    this.#world = world;
    this.#executor = executor;
  }

  send(ref: AttemptRef): void {
    if (this.#world.strikes("loseMessage")) return;
    this.#deliverLater({ ref, deliveries: 0 }, 10);
    if (this.#world.strikes("repeatMessage")) this.#deliverLater({ ref, deliveries: 0 }, 5_000);
  }

  #deliverLater(message: Message, withinMs: number): void {
    const { random, agenda } = this.#world;
    const delayMs = random.between(1, withinMs) + (this.#world.strikes("delayMessage") ? random.between(0, 40_000) : 0);
    agenda.after(delayMs, () => {
      this.#ready.push(message);
      agenda.after(random.between(0, 3), () => this.#consume());
    });
  }

  /** One batch: claims all of its attempts together, then runs those that were granted. */
  #consume(): void {
    const batch: Message[] = [];
    while (batch.length < BATCH_SIZE && this.#ready.length > 0) batch.push(...this.#ready.splice(this.#world.random.between(0, this.#ready.length - 1), 1));
    if (batch.length === 0) return;
    try {
      if (this.#world.strikes("crashConsumer")) throw new CallLost("the consumer died");
      const granted = callObject(this.#world, { type: "claim", refs: batch.map(({ ref }) => ref) });
      for (const ref of granted) this.#executor.start(ref, "queue");
    } catch (error) {
      if (!(error instanceof CallLost)) throw error;
      for (const message of batch) this.#retry(message);
    }
  }

  #retry(message: Message): void {
    const deliveries = message.deliveries + 1;
    if (deliveries < MAX_DELIVERIES) this.#deliverLater({ ref: message.ref, deliveries }, 2_000);
    else persist(this.#world, DEAD_LETTER_TRIES, () => callObject(this.#world, { type: "deadLetter", refs: [message.ref] }));
  }
}
