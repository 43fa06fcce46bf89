import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { Amount, Cap } from "../../src/workflow/budget/amount.ts";
import type { Bill } from "../../src/workflow/budget/ledger.ts";
import { failExhausted } from "../../src/workflow/budget/exhausted.ts";
import type { ReserveAnswer } from "../../src/workflow/budget/reserve-port.ts";
import type { AttemptResult } from "../../src/workflow/step.ts";
import { TIMED_OUT, type Course, type ModelCall } from "./agent-course.ts";
import { reserveCall, type World } from "./world.ts";

const GONE: AttemptResult = { status: "failed", failure: { code: "cancelled", message: "the attempt is over", retryable: false }, retryAfterMs: null };

/** One attempt of a model's task as an executor runs it: each call is reserved, made and billed; what is refused is tried smaller. */
export class ModelAttempt {
  readonly #world: World;
  readonly #ref: AttemptRef;
  readonly #course: Course;
  readonly #calls: readonly ModelCall[];
  readonly #deliver: (result: AttemptResult, bills: readonly Bill[]) => void;
  readonly #bills: Bill[] = [];
  #call = 0;
  #rung = 0;
  /** Of what is asked for, refused or not. */
  #number = -1;
  /** What is held for the call that is being made. */
  #held: Amount | null = null;
  #isOver = false;

  constructor(world: World, ref: AttemptRef, course: Course, calls: readonly ModelCall[], deliver: (result: AttemptResult, bills: readonly Bill[]) => void) {
    this.#world = world;
    this.#ref = ref;
    this.#course = course;
    this.#calls = calls;
    this.#deliver = deliver;
  }

  start(timeoutMs: number): void {
    this.#world.agenda.after(timeoutMs, () => this.#timeOut());
    this.#ask();
  }

  /** The runner died: nothing is heard of the attempt any more, but a call that was made goes on at the provider. */
  die(): void {
    this.#isOver = true;
  }

  #ask(): void {
    this.#number += 1;
    this.#reserve();
  }

  #reserve(): void {
    if (this.#isOver) return;
    const need = this.#calls[this.#call]!.ladder[this.#rung]!;
    const asked = this.#number;
    reserveCall(this.#world, { ...this.#ref, call: asked, ...need, bills: [...this.#bills] }, (answer) => {
      if (!this.#isOver && this.#number === asked) this.#hear(answer);
    });
  }

  #hear(answer: ReserveAnswer | "lost"): void {
    const { agenda, random } = this.#world;
    if (answer === "lost") return agenda.after(random.between(1, 400), () => this.#reserve());
    if (answer.kind === "granted") return this.#make();
    if (answer.kind === "gone") return this.#finish(GONE);
    const { ladder } = this.#calls[this.#call]!;
    const next = ladder.findIndex((need, rung) => rung > this.#rung && fits(need, answer.room));
    if (next < 0) return this.#finish({ status: "failed", failure: failExhausted(ladder.at(-1)!, answer.room), retryAfterMs: null });
    this.#rung = next;
    this.#ask();
  }

  #make(): void {
    const { agenda, provider } = this.#world;
    const { ladder, share, isBilled, overrun, isOverCap } = this.#calls[this.#call]!;
    const held = ladder[this.#rung]!;
    this.#held = held;
    const stepMs = this.#course.afterMs / this.#calls.length;
    if (stepMs === Infinity) return;
    const bill: Bill = { call: this.#number, nanoUsd: Math.floor(held.nanoUsd * share * overrun), tokens: Math.floor(held.tokens * share * overrun), isOverCap };
    agenda.after(stepMs, () => {
      if (isBilled) provider.serve({ ...this.#ref, call: bill.call }, bill);
      if (this.#isOver) return;
      this.#held = null;
      if (isBilled) this.#bills.push(bill);
      this.#goOn();
    });
  }

  #goOn(): void {
    this.#call += 1;
    this.#rung = 0;
    if (this.#call < this.#calls.length) this.#ask();
    else this.#finish(this.#course.result);
  }

  /** What an unfinished call will bill is not known: its worst case stands for it. */
  #timeOut(): void {
    if (this.#isOver) return;
    if (this.#held !== null) this.#bills.push({ call: this.#number, ...this.#held });
    this.#finish(TIMED_OUT);
  }

  #finish(result: AttemptResult): void {
    this.#isOver = true;
    this.#deliver(result, this.#bills);
  }
}

function fits(need: Amount, room: Cap): boolean {
  return need.nanoUsd <= (room.nanoUsd ?? Infinity) && need.tokens <= (room.tokens ?? Infinity);
}
