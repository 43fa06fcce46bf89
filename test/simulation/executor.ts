import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { Channel } from "../../src/workflow/run.ts";
import type { AttemptResult } from "../../src/workflow/step.ts";
import { drawCourse, TIMED_OUT } from "./agent-course.ts";
import { CallLost } from "./object.ts";
import { callObject, persist, type World } from "./world.ts";

/** Longest time until a callback agent says 202. */
const ACCEPT_MS = 20;
/** How often a report, or a callback, is sent before its sender gives up. */
const TRIES = 4;

/** Runs attempts: calls agents, renews leases for all claimed attempts together, reports in batches. Runners may die in between. */
export class Executor {
  readonly #world: World;
  /** Claimed attempts that are renewed. */
  readonly #claimed = new Set<AttemptRef>();
  #isRenewing = false;
  #outbox: (AttemptRef & { result: AttemptResult })[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Starts an attempt: a granted claim, or a call that the object waits for. */
  start(ref: AttemptRef, channel: Channel): void {
    const { world, deliver } = { world: this.#world, deliver: this.#createDelivery(ref, channel) };
    world.oracle.seeCall(ref, world.store);
    const task = world.scenario.tasks[ref.task]!;
    const course = drawCourse(world.scenario.seed, task, ref.attempt);
    const isInTime = course.afterMs < task.timeoutMs;
    let endsAfterMs = isInTime ? course.afterMs : task.timeoutMs;
    if (task.isCallback) endsAfterMs = world.random.between(1, ACCEPT_MS);
    if (channel === "queue") this.#keepAlive(ref);
    if (world.strikes("crashRunner")) {
      world.agenda.after(endsAfterMs * world.random.next(), () => this.#claimed.delete(ref));
      return;
    }
    if (task.isCallback) {
      this.#planCallback(ref, course.afterMs, course.result);
      world.agenda.after(endsAfterMs, () => deliver({ status: "waiting" }));
    } else {
      world.agenda.after(endsAfterMs, () => deliver(isInTime ? course.result : TIMED_OUT));
    }
  }

  /** How an attempt's result comes home: as a report, or as the answer to the object's own call, which ends with the object's life. */
  #createDelivery(ref: AttemptRef, channel: Channel): (result: AttemptResult) => void {
    const world = this.#world;
    if (channel === "queue") {
      return (result) => {
        this.#claimed.delete(ref);
        this.#report({ ...ref, result });
      };
    }
    const { life } = world.object;
    return (result) => {
      if (world.object.life !== life) return;
      const isAnswered = channel === "object" || !world.strikes("loseAnswer");
      persist(world, 1, () => world.object.call(isAnswered ? { type: "report", reports: [{ ...ref, result }] } : { type: "lose", refs: [ref] }));
    };
  }

  #report(report: AttemptRef & { result: AttemptResult }): void {
    const world = this.#world;
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

  #planCallback(ref: AttemptRef, afterMs: number, result: AttemptResult): void {
    const world = this.#world;
    if (afterMs === Infinity) return;
    const call = (): void => persist(world, TRIES, () => callObject(world, { type: "report", reports: [{ ...ref, result }] }));
    world.agenda.after(world.strikes("earlyCallback") ? 0 : ACCEPT_MS + afterMs, call);
    if (world.strikes("repeatCallback")) world.agenda.after(ACCEPT_MS + afterMs + world.random.between(0, 2_000), call);
  }
}
