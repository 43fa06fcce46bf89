import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { Settings } from "../../../src/config/settings.ts";
import { acquireProbe, createCircuit, observeCall, PROBE_LEASE_MS, readCircuitState, type Circuit, type CircuitCall, type CircuitSettings } from "../../../src/router/metrics/circuit.ts";

const SETTINGS: CircuitSettings = {
  ...Settings.parse({}).routing,
  circuitWindowMs: 10_000,
  circuitMinCalls: 10,
  circuitFailureRate: 0.5,
  circuitConsecutiveFailures: 5,
  circuitCooldownMs: 1_000,
  circuitCooldownFactor: 2,
  circuitMaxCooldownMs: 8_000,
  circuitProbes: 2,
};

/** A call of 10 ms that ended at `at`. */
function call(at: number, isFailure: boolean, changes: Partial<CircuitCall> = {}): CircuitCall {
  return { startedAt: at - 10, at, isFailure, retryAfterMs: null, ...changes };
}

function observeAll(calls: CircuitCall[], circuit: Circuit = createCircuit(0)): Circuit {
  return calls.reduce((before, each) => observeCall(before, each, SETTINGS), circuit);
}

const FIVE_FAILURES = [1, 2, 3, 4, 5].map((at) => call(at, true));

/** A circuit that opened at 5 and may be probed from 1,005 on. */
const OPEN = observeAll(FIVE_FAILURES);

describe("a closed circuit", () => {
  test.each<[string, CircuitCall[], string]>([
    ["four failures in a row", FIVE_FAILURES.slice(1), "closed"],
    ["five failures in a row", FIVE_FAILURES, "open"],
    ["five failures with a success between", [...FIVE_FAILURES.slice(1), call(6, false), call(7, true)], "closed"],
    ["half of nine calls", [true, false, true, false, true, false, true, false, true].map((isFailure, at) => call(at, isFailure)), "closed"],
    ["half of ten calls", [true, false, true, false, true, false, true, false, false, true].map((isFailure, at) => call(at, isFailure)), "open"],
    ["less than half of twelve", [true, false, true, false, true, false, true, false, false, false, false, true].map((isFailure, at) => call(at, isFailure)), "closed"],
    ["half of ten calls, the first five long ago", [...Array.from({ length: 5 }, (_, at) => call(at, at % 2 === 0)), ...Array.from({ length: 5 }, (_, at) => call(30_000 + at, at % 2 === 0))], "closed"],
    ["half of ten calls across the edge of a window", [...Array.from({ length: 5 }, (_, at) => call(9_990 + at, at % 2 === 0)), ...Array.from({ length: 5 }, (_, at) => call(10_000 + at, at % 2 === 0))], "open"],
  ])("after %s is %4$s", (_, calls, state) => {
    expect(readCircuitState(observeAll(calls), calls.at(-1)!.at).state).toBe(state);
  });

  test("neither counts nor is comforted by calls that prove nothing: callers in a hurry keep no sick model closed", () => {
    const hurried = Array.from({ length: 4 }, (_, at) => call(at, false, { isInconclusive: true }));
    const mixed = FIVE_FAILURES.flatMap((failure) => [...hurried, failure]);
    expect(readCircuitState(observeAll(mixed), 5).state).toBe("open");
    expect(observeAll(hurried)).toEqual(createCircuit(0));
  });

  test("lets everybody through", () => {
    expect(acquireProbe(createCircuit(0), 5).isGranted).toBe(true);
  });

  test("rests as long as the provider asks, after a single failure, without backing off further", () => {
    const circuit = observeAll([call(100, true, { retryAfterMs: 30_000 })]);
    expect(readCircuitState(circuit, 100)).toEqual({ state: "open", openUntil: 30_100 });
    expect(circuit.openings).toBe(0);
  });

  test("a wait of 0 is none", () => {
    expect(readCircuitState(observeAll([call(100, true, { retryAfterMs: 0 })]), 100).state).toBe("closed");
  });

  test("the longer of backoff and the provider's wait counts", () => {
    const circuit = observeAll([...FIVE_FAILURES.slice(0, 4), call(5, true, { retryAfterMs: 500 })]);
    expect(readCircuitState(circuit, 5).openUntil).toBe(1_005);
    expect(readCircuitState(observeAll([...FIVE_FAILURES.slice(0, 4), call(5, true, { retryAfterMs: 9_000 })]), 5).openUntil).toBe(9_005);
  });
});

describe("an open circuit", () => {
  test("is not closed by probes that prove nothing; the next probe may go at once", () => {
    const { circuit: probed } = acquireProbe(OPEN, 1_005);
    const after = observeAll([call(1_020, false, { isInconclusive: true }), call(1_040, false, { isInconclusive: true })], probed);
    expect(readCircuitState(after, 1_040).state).toBe("half-open");
    expect(acquireProbe(probed, 1_040).isGranted).toBe(false);
    expect(acquireProbe(after, 1_040).isGranted).toBe(true);
  });

  test("lets nobody through until its cooldown is over, then is half-open", () => {
    expect(acquireProbe(OPEN, 1_004).isGranted).toBe(false);
    expect(readCircuitState(OPEN, 1_004).state).toBe("open");
    expect(readCircuitState(OPEN, 1_005).state).toBe("half-open");
  });

  test("does not listen to calls that began before the cooldown was over, but for a longer wait that they bring", () => {
    expect(observeAll([call(2_000, false, { startedAt: 4 })], OPEN)).toEqual(OPEN);
    expect(observeAll([call(2_000, true, { startedAt: 4 })], OPEN)).toEqual(OPEN);
    expect(readCircuitState(observeAll([call(900, true, { startedAt: 4, retryAfterMs: 5_000 })], OPEN), 2_000)).toEqual({ state: "open", openUntil: 5_900 });
  });
});

describe("a half-open circuit", () => {
  test("lets one caller through at a time; one that is never heard of again gives its place up", () => {
    const first = acquireProbe(OPEN, 1_005);
    expect(first.isGranted).toBe(true);
    expect(acquireProbe(first.circuit, 1_006).isGranted).toBe(false);
    expect(acquireProbe(first.circuit, 1_004 + PROBE_LEASE_MS).isGranted).toBe(false);
    expect(acquireProbe(first.circuit, 1_005 + PROBE_LEASE_MS).isGranted).toBe(true);
  });

  test("closes after the configured number of successes, and lets the next probe go at once after one", () => {
    const once = observeAll([call(1_100, false, { startedAt: 1_010 })], acquireProbe(OPEN, 1_005).circuit);
    expect(readCircuitState(once, 1_100).state).toBe("half-open");
    expect(acquireProbe(once, 1_100).isGranted).toBe(true);
    expect(readCircuitState(observeAll([call(1_200, false)], once), 1_200)).toEqual({ state: "closed", openUntil: null });
  });

  test("opens again after one failure, each time for twice as long, up to the limit", () => {
    let circuit = OPEN;
    for (const cooldownMs of [2_000, 4_000, 8_000, 8_000]) {
      const at = circuit.openUntil! + 100;
      circuit = observeAll([call(at, true)], circuit);
      expect(circuit.openUntil! - at).toBe(cooldownMs);
    }
  });

  test("a relapse within a window backs off further, a later one starts anew", () => {
    const closed = observeAll([call(1_100, false), call(1_200, false)], OPEN);
    const fail = (from: number) => [1, 2, 3, 4, 5].map((step) => call(from + step, true));
    const relapsed = observeAll(fail(5_000), closed);
    expect(relapsed.openUntil! - 5_005).toBe(2_000);
    const later = observeAll(fail(50_000), closed);
    expect(later.openUntil! - 50_005).toBe(1_000);
  });
});

describe("whatever happens", () => {
  const step = fc.record({ waitMs: fc.nat(3_000), isFailure: fc.boolean(), isProbe: fc.boolean(), durationMs: fc.nat(5_000), retryAfterMs: fc.option(fc.nat(60_000), { nil: null }) });

  test("a circuit stays within its bounds, grants at most one probe a lease, and a model that has recovered is called again", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let circuit = createCircuit(0);
        let now = 0;
        for (const { waitMs, isFailure, isProbe, durationMs, retryAfterMs } of steps) {
          now += waitMs;
          if (isProbe && readCircuitState(circuit, now).state === "half-open") {
            const probe = acquireProbe(circuit, now);
            expect(acquireProbe(probe.circuit, now).isGranted).toBe(false);
            circuit = probe.circuit;
          }
          circuit = observeCall(circuit, { startedAt: now - durationMs, at: now, isFailure, retryAfterMs }, SETTINGS);
          const { state, openUntil } = readCircuitState(circuit, now);
          if (state === "open") expect(openUntil! - now).toBeLessThanOrEqual(Math.max(SETTINGS.circuitMaxCooldownMs, 60_000));
          expect(Number.isSafeInteger(circuit.current.calls + circuit.previous.calls)).toBe(true);
        }
        now = Math.max(now, circuit.openUntil ?? 0) + PROBE_LEASE_MS;
        for (let probe = 0; probe < SETTINGS.circuitProbes; probe += 1) {
          const asked = acquireProbe(circuit, now);
          expect(asked.isGranted).toBe(true);
          circuit = observeCall(asked.circuit, { startedAt: now, at: now + 10, isFailure: false, retryAfterMs: null }, SETTINGS);
          now += 20;
        }
        expect(readCircuitState(circuit, now).state).toBe("closed");
      }),
      { numRuns: 200 },
    );
  });

  test("of a provider that fails half of its calls less than a twentieth reach it soon after, with the default settings", () => {
    const { routing } = Settings.parse({});
    let circuit = createCircuit(0);
    let sentLate = 0;
    let seed = 7;
    // 200 calls a second for 60 s, each answered after 50 ms.
    for (let at = 0; at < 60_000; at += 5) {
      const asked = acquireProbe(circuit, at);
      if (!asked.isGranted) continue;
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      if (at >= 5_000) sentLate += 1;
      circuit = observeCall(asked.circuit, { startedAt: at, at: at + 50, isFailure: seed > 1_073_741_824, retryAfterMs: null }, routing);
    }
    expect(sentLate / 11_000).toBeLessThan(0.05);
  });
});
