import { describe, expect, test } from "vitest";
import { tellStarts } from "../../../src/workflow/starts/ask-starts.ts";
import { nextWakeAt } from "../../../src/workflow/timers.ts";
import { CoreRun, START, type RunOptions, type TaskOptions } from "../core-run.ts";

const tasks = (count: number, options: TaskOptions = {}): Record<string, TaskOptions> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, options]));
const limited = (count: number, options: RunOptions = {}): CoreRun => new CoreRun(tasks(count), { isLimited: true, ...options });
const demands = (run: CoreRun): [number, number, ...number[]][] => run.startsQuestions.map(({ demand }) => [demand.started, demand.ended, ...demand.wanted]);

describe("under a tenant's limits", () => {
  test("nothing starts before the tenant lets it, and as much as it lets", () => {
    const run = limited(5);
    expect([run.live, demands(run)]).toEqual([[], [[0, 0, 0, 0, 5, 0]]]);
    run.answerStarts(2);
    expect(run.live).toEqual(["t0", "t1"]);
    expect(demands(run).at(-1)).toEqual([2, 0, 0, 0, 3, 0]);
  });

  test("no more is asked for than has a slot, and the most urgent first", () => {
    const run = new CoreRun({ a: { rank: 3 }, b: { rank: 0 }, c: { rank: 2 }, d: { rank: 2 } }, { isLimited: true, maxConcurrency: 3 });
    expect(demands(run)).toEqual([[0, 0, 1, 0, 2, 0]]);
    run.answerStarts(1);
    expect(run.live).toEqual(["b"]);
  });

  test("the tenant hears at once of what ended, also while it was asked for more", () => {
    const run = limited(4);
    run.answerStarts(2);
    run.complete("t0");
    expect(demands(run).at(-1)).toEqual([2, 1, 0, 0, 2, 0]);
    run.answerStarts(3);
    expect(run.live).toEqual(["t1", "t2"]);
  });

  test("answers to older questions are not counted on", () => {
    const run = limited(4);
    run.answerStarts(2);
    const [older] = run.startsQuestions.slice(-1);
    run.complete("t0");
    run.answerStarts(4, older);
    expect(run.live).toEqual(["t1"]);
  });

  test("what is granted and not wanted any more goes back, and is not there any more", () => {
    const run = limited(4);
    run.apply({ type: "pause" });
    expect(demands(run).at(-1)).toEqual([0, 0, 0, 0, 0, 0]);
    run.answerStarts(0);
    run.apply({ type: "resume" });
    expect(run.live).toEqual([]);
    expect(demands(run).at(-1)).toEqual([0, 0, 0, 0, 4, 0]);
  });

  test("a message that gives starts back takes them from the workflow, whatever becomes of it", () => {
    const run = limited(4);
    run.answerStarts(4);
    run.run.starts.upTo = 9;
    tellStarts(run.run);
    expect(run.run.starts.upTo).toBe(4);
  });

  test("a skip uses up no start: it is there for the next task, or goes back", () => {
    const run = new CoreRun({ a: { when: false }, b: {} }, { isLimited: true });
    run.answerStarts(1);
    expect(run.statuses).toMatchObject({ a: "skipped:when", b: "running" });
    const alone = new CoreRun({ a: {}, b: { when: false } }, { isLimited: true });
    alone.answerStarts(2);
    expect(demands(alone).at(-1)).toEqual([1, 0, 0, 0, 0, 0]);
  });

  test("another attempt of a task is another start", () => {
    const run = new CoreRun(tasks(1, { retry: { maxAttempts: 2, initialMs: 0 } }), { isLimited: true });
    run.answerStarts(1);
    run.fail("t0", { retryable: true });
    expect([run.live, demands(run).at(-1)]).toEqual([[], [1, 1, 0, 0, 1, 0]]);
    run.answerStarts(2);
    expect(run.live).toEqual(["t0"]);
  });

  test("a tenant that had nothing after a while is asked again at once, one that said so at once a second after it was asked", () => {
    const run = limited(1);
    run.now += 5_000;
    run.answerStarts(0);
    expect(run.startsQuestions).toHaveLength(2);
    run.now += 10;
    const { wakeBy } = run.answerStarts(0);
    expect([run.startsQuestions.length, wakeBy, nextWakeAt(run.run, 0)]).toEqual([2, START + 6_000, START + 6_000]);
    run.wait(990);
    expect(run.startsQuestions).toHaveLength(3);
  });

  test("who waits for long asks ever less often, and those made together do not ask together", () => {
    const patienceOf = (random: number, inVain: number): number => {
      const run = limited(2, { random, maxConcurrency: 1 });
      for (let time = 0; time < inVain; time += 1) {
        run.now += 60_000;
        run.answerStarts(0);
      }
      return run.startsQuestions.at(-1)!.patienceMs;
    };
    expect([0, 1, 2, 3, 50].map((inVain) => patienceOf(1, inVain))).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
    expect([0, 0.5, 1].map((random) => patienceOf(random, 3))).toEqual([30_000, 45_000, 60_000]);
  });

  test("a start makes the next wait a short one again, and what could not be asked is no wait", () => {
    const run = limited(2, { random: 1, maxConcurrency: 1 });
    run.now += 10_000;
    run.answerStarts(0);
    run.apply({ type: "starts", number: 2, reply: { kind: "failed" } });
    run.wait(1_000);
    expect(run.startsQuestions.map(({ patienceMs }) => patienceMs)).toEqual([10_000, 20_000, 20_000]);
    run.answerStarts(1);
    run.complete("t0");
    expect(run.startsQuestions.at(-1)!.patienceMs).toBe(10_000);
  });

  test("one that could not be asked is asked again a second later", () => {
    const run = limited(1);
    run.apply({ type: "starts", number: 1, reply: { kind: "failed" } });
    run.wait(999);
    expect(run.startsQuestions).toHaveLength(1);
    run.wait(1);
    expect(run.startsQuestions).toHaveLength(2);
  });

  test("a question that nobody answered is asked again, and its late answer is not counted on", () => {
    const run = limited(1);
    const [lost] = run.startsQuestions;
    run.wait(15_000);
    expect(run.startsQuestions).toHaveLength(2);
    run.answerStarts(1, lost);
    expect(run.live).toEqual([]);
    run.answerStarts(1);
    expect(run.live).toEqual(["t0"]);
  });

  test("an ended workflow asks nothing, and one that is retried asks anew", () => {
    const run = limited(2, { onFailure: "continue" });
    run.answerStarts(2);
    run.complete("t0");
    const asked = run.startsQuestions.length;
    run.fail("t1");
    expect([run.status, run.startsQuestions.length]).toEqual(["failed", asked]);
    run.retry("t1");
    expect([run.live, demands(run).at(-1)]).toEqual([[], [2, 2, 0, 0, 1, 0]]);
    run.answerStarts(3);
    expect(run.live).toEqual(["t1"]);
  });

  test("limits that are removed let everything start, and limits that are set hold what has not started", () => {
    const run = limited(3, { maxConcurrency: 2 });
    run.apply({ type: "starts", number: 1, reply: { kind: "unlimited" } });
    expect(run.live).toEqual(["t0", "t1"]);
    run.apply({ type: "limits", isLimited: true });
    expect(demands(run).at(-1)).toEqual([2, 0, 0, 0, 0, 0]);
    run.complete("t0");
    expect(run.live).toEqual(["t1"]);
    run.answerStarts(3);
    expect(run.live).toEqual(["t1", "t2"]);
  });

  test("a workflow of a tenant without limits asks nothing", () => {
    const run = new CoreRun(tasks(3));
    expect([run.live.length, run.startsQuestions]).toEqual([3, []]);
  });
});
