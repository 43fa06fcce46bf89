import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { Channel } from "../../src/workflow/run.ts";
import type { Bill } from "../../src/workflow/budget/ledger.ts";
import { nameCall } from "../../src/workflow/budget/reservations.ts";
import type { AttemptResult } from "../../src/workflow/step.ts";
import { drawCalls, drawCourse, TIMED_OUT, type Course } from "./agent-course.ts";
import { ModelAttempt } from "./model-attempt.ts";
import { CallLost } from "./object.ts";
import { callObject, persist, type World } from "./world.ts";

/** Longest time until a callback agent says 202. */
const ACCEPT_MS = 20;
/** How often a report, or a callback, is sent before its sender gives up. */
const TRIES = 4;

type Report = AttemptRef & { result: AttemptResult; bills?: readonly Bill[] };
type Deliver = (result: AttemptResult, bills?: readonly Bill[]) => void;

/** Runs attempts: calls agents, renews leases for all claimed attempts together, reports in batches. Runners may die in between. */
export class Executor {
  readonly #world: World;
  /** Claimed attempts that are renewed. */
  readonly #claimed = new Set<AttemptRef>();
  #isRenewing = false;
  #outbox: Report[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Starts an attempt: a granted claim, or a call that the object waits for. */
  start(ref: AttemptRef, channel: Channel): void {
    const { world, deliver } = { world: this.#world, deliver: this.#createDelivery(ref, channel) };
    world.oracle.seeCall(ref, world.store);
    const task = world.scenario.tasks[ref.task]!;
    const course = drawCourse(world.scenario.seed, task, ref.attempt);
    if (task.kind === "llm" && world.scenario.budget !== null) return this.#startModel(ref, channel, course, deliver);
    const bills = this.#priceOwn(ref);
    const isInTime = course.afterMs < task.timeoutMs;
    let endsAfterMs = isInTime ? course.afterMs : task.timeoutMs;
    if (task.isCallback) endsAfterMs = world.random.between(1, ACCEPT_MS);
    if (channel === "queue") this.#keepAlive(ref);
    if (world.strikes("crashRunner")) {
      world.agenda.after(endsAfterMs * world.random.next(), () => this.#claimed.delete(ref));
      return;
    }
    if (task.isCallback) {
      this.#planCallback(ref, course, bills);
      world.agenda.after(endsAfterMs, () => deliver({ status: "waiting" }));
    } else {
      world.agenda.after(endsAfterMs, () => (isInTime ? this.#answerOwn(ref, bills, () => deliver(course.result, bills)) : deliver(TIMED_OUT)));
    }
  }

  #startModel(ref: AttemptRef, channel: Channel, course: Course, deliver: Deliver): void {
    const world = this.#world;
    const { seed, tasks } = world.scenario;
    const task = tasks[ref.task]!;
    const attempt = new ModelAttempt(world, ref, course, drawCalls(seed, task, task.model, ref.attempt), deliver);
    if (channel === "queue") this.#keepAlive(ref);
    if (world.strikes("crashRunner")) {
      world.agenda.after(Math.min(course.afterMs, task.timeoutMs) * world.random.next(), () => {
        attempt.die();
        this.#claimed.delete(ref);
      });
    }
    attempt.start(task.timeoutMs);
  }

  /** What an agent that prices its own work says that an attempt cost: no more than was held for it, as it was told that. */
  #priceOwn(ref: AttemptRef): Bill[] {
    const { scenario, store } = this.#world;
    const task = scenario.tasks[ref.task]!;
    if (scenario.budget === null) return [];
    const [call] = drawCalls(scenario.seed, task, { ...task.model, rungs: 1 }, ref.attempt);
    const held = store.books.open.get(nameCall({ ...ref, call: 0 })) ?? (scenario.budget.allowsOverrun ? call!.ladder[0]! : null);
    if (held === null || !call!.isBilled) return [];
    return [{ call: 0, nanoUsd: Math.floor(held.nanoUsd * call!.share * call!.overrun), tokens: Math.floor(held.tokens * call!.share * call!.overrun) }];
  }

  /** Only what an agent answers is known of what it cost. */
  #answerOwn(ref: AttemptRef, bills: readonly Bill[], answer: () => void): void {
    for (const bill of bills) this.#world.provider.serve({ ...ref, call: bill.call }, bill);
    answer();
  }

  /** How an attempt's result comes home: as a report, or as the answer to the object's own call, which ends with the object's life. */
  #createDelivery(ref: AttemptRef, channel: Channel): Deliver {
    const world = this.#world;
    if (channel === "queue") {
      return (result, bills = []) => {
        this.#claimed.delete(ref);
        this.#report({ ...ref, result, bills });
      };
    }
    const { life } = world.object;
    return (result, bills = []) => {
      if (world.object.life !== life) return;
      const isAnswered = channel === "object" || !world.strikes("loseAnswer");
      persist(world, 1, () => world.object.call(isAnswered ? { type: "report", reports: [{ ...ref, result, bills }] } : { type: "lose", refs: [ref] }));
    };
  }

  #report(report: Report): void {
    const world = this.#world;
    if (world.strikes("delayReport")) return world.agenda.after(world.random.between(0, 100_000), () => persist(world, TRIES, () => callObject(world, { type: "report", reports: [report] })));
    if (this.#outbox.length === 0) world.agenda.after(world.random.between(0, 5), () => this.#flush());
    this.#outbox.push(report);
    if (world.strikes("repeatMessage")) world.agenda.after(world.random.pick([1, 20, 3_000]), () => persist(world, TRIES, () => callObject(world, { type: "report", reports: [report] })));
  }

  #flush(): void {
    const reports = this.#outbox;
    this.#outbox = [];
    persist(this.#world, TRIES, () => callObject(this.#world, { type: "report", reports }));
  }

  #keepAlive(ref: AttemptRef): void {
    this.#claimed.add(ref);
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#world.agenda.after(this.#world.scenario.renewEveryMs, () => this.#renew());
  }

  /** An attempt whose renewal is refused is abandoned or not: either way its late report must do no harm. */
  #renew(): void {
    const world = this.#world;
    this.#isRenewing = this.#claimed.size > 0;
    if (!this.#isRenewing) return;
    world.agenda.after(world.scenario.renewEveryMs, () => this.#renew());
    try {
      const refs = [...this.#claimed];
      const alive = new Set(callObject(world, { type: "renew", refs }).map(({ task, attempt }) => `${task}#${attempt}`));
      for (const ref of refs) if (!alive.has(`${ref.task}#${ref.attempt}`)) this.#claimed.delete(ref);
    } catch (error) {
      if (!(error instanceof CallLost)) throw error;
    }
  }

  #planCallback(ref: AttemptRef, { afterMs, result }: Course, bills: readonly Bill[]): void {
    const world = this.#world;
    if (afterMs === Infinity) return;
    const call = (): void => this.#answerOwn(ref, bills, () => persist(world, TRIES, () => callObject(world, { type: "report", reports: [{ ...ref, result, bills }] })));
    world.agenda.after(world.strikes("earlyCallback") ? 0 : ACCEPT_MS + afterMs, call);
    if (world.strikes("repeatCallback")) world.agenda.after(ACCEPT_MS + afterMs + world.random.between(0, 2_000), call);
  }
}
