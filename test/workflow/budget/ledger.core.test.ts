import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Amount, Cap } from "../../../src/workflow/budget/amount.ts";
import {
  accountOfDay,
  assumeExpired,
  EMPTY_BOOKS,
  findRoom,
  judgeReserve,
  listOpen,
  missingLease,
  nextExpiryAt,
  openLedger,
  orphan,
  release,
  reserve,
  retract,
  settle,
  type Ledger,
  type LedgerEntry,
} from "../../../src/workflow/budget/ledger.ts";
import { nameCall, type CallRef } from "../../../src/workflow/budget/reservations.ts";
import { BookRows } from "./book-rows.ts";
import { describeBooks } from "./same-books.ts";

const CAP: Cap = { nanoUsd: 100, tokens: 1_000 };
/** Of task 0 only. */
const TASK_CAPS = new Map([[0, { nanoUsd: 40, tokens: null }]]);

function createLedger(): Ledger {
  return openLedger(CAP, TASK_CAPS, { ...EMPTY_BOOKS, leases: {} });
}

type Operation =
  | { kind: "reserve"; ref: CallRef; need: Amount; day: number }
  | { kind: "settle"; ref: CallRef; share: number; day: number; isLate: boolean }
  | { kind: "release" | "retract"; ref: CallRef }
  | { kind: "orphan"; ref: CallRef; at: number }
  | { kind: "assume"; at: number }
  | { kind: "lease"; day: number; nanoUsd: number };

const ref = fc.record({ task: fc.nat(2), attempt: fc.integer({ min: 1, max: 2 }), call: fc.nat(1) });
const day = fc.nat(1);
const at = fc.nat(50);
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("reserve" as const), ref, need: fc.record({ nanoUsd: fc.nat(60), tokens: fc.nat(600) }), day }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("settle" as const), ref, share: fc.double({ min: 0, max: 1, noNaN: true }), day, isLate: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("release" as const, "retract" as const), ref }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("orphan" as const), ref, at }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("assume" as const), at }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("lease" as const), day, nanoUsd: fc.nat(80) }) },
  ),
  { maxLength: 60 },
);

/** The ledger as the core uses it: what does not fit is not reserved, a call is made once, and bills at most what was held for it. */
class Clerk {
  readonly ledger = createLedger();
  readonly rows = new BookRows();
  readonly entries: LedgerEntry[] = [];
  readonly leases: Record<string, number> = {};
  /** What was held at most for each call. */
  readonly #held = new Map<string, Amount>();

  apply(operation: Operation): LedgerEntry[] {
    const entries = this.#apply(operation);
    this.entries.push(...entries);
    entries.forEach((entry) => this.rows.enter(entry));
    return entries;
  }

  #apply(operation: Operation): LedgerEntry[] {
    const { ledger } = this;
    switch (operation.kind) {
      case "lease": {
        const leased = Math.max(operation.nanoUsd, this.leases[operation.day] ?? 0);
        accountOfDay(ledger, operation.day).leasedNanoUsd = leased;
        this.leases[operation.day] = leased;
        return [];
      }
      case "assume":
        return [...assumeExpired(ledger, operation.at)];
      case "orphan":
        return orphan(ledger, operation.ref, operation.at);
      case "release":
        return listOf(release(ledger, operation.ref));
      case "retract":
        return listOf(retract(ledger, operation.ref));
      case "settle":
        return listOf(settle(ledger, operation.ref, this.#shareOf(operation.ref, operation.share), operation.day, operation.isLate));
      case "reserve":
        return this.#reserve(operation.ref, operation.need, operation.day);
    }
  }

  #shareOf(call: CallRef, share: number): Amount {
    const held = this.#held.get(nameCall(call)) ?? { nanoUsd: 0, tokens: 0 };
    return { nanoUsd: Math.floor(held.nanoUsd * share), tokens: Math.floor(held.tokens * share) };
  }

  #reserve(call: CallRef, need: Amount, today: number): LedgerEntry[] {
    const { ledger } = this;
    const held = listOpen(ledger, call).find((reservation) => reservation.call === call.call);
    const isFit = judgeReserve(ledger, call, need) === "fits" && missingLease(ledger, call, held?.day ?? today, need) === 0;
    if (!isFit || ledger.settled.has(nameCall(call))) return [];
    this.#held.set(nameCall(call), need);
    return listOf(reserve(ledger, call, need, today));
  }
}

function listOf(entry: LedgerEntry | null): LedgerEntry[] {
  return entry === null ? [] : [entry];
}

function sum(entries: readonly LedgerEntry[]): { spent: Amount; reserved: Amount } {
  const total = { spent: { nanoUsd: 0, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } };
  for (const entry of entries) {
    for (const side of ["spent", "reserved"] as const) {
      total[side].nanoUsd += entry[side].nanoUsd;
      total[side].tokens += entry[side].tokens;
    }
  }
  return total;
}

describe("for every sequence of entries, whatever is repeated and reordered,", () => {
  const holds = (check: (clerk: Clerk, operation: Operation) => void, atEnd: (clerk: Clerk) => void = () => undefined): void => {
    fc.assert(
      fc.property(operations, (list) => {
        const clerk = new Clerk();
        for (const operation of list) check(clerk, operation);
        atEnd(clerk);
      }),
      { numRuns: 300 },
    );
  };

  test("nothing is spent or held beyond a cap, of the workflow, a task or a leased day", () => {
    holds((clerk, operation) => {
      clerk.apply(operation);
      const { workflow, tasks, days } = clerk.ledger;
      expect(workflow.spent.nanoUsd + workflow.reserved.nanoUsd).toBeLessThanOrEqual(100);
      expect(workflow.spent.tokens + workflow.reserved.tokens).toBeLessThanOrEqual(1_000);
      const first = tasks.get(0);
      if (first !== undefined) expect(first.spent.nanoUsd + first.reserved.nanoUsd).toBeLessThanOrEqual(40);
      for (const { spentNanoUsd, reservedNanoUsd, leasedNanoUsd } of days.values()) expect(spentNanoUsd + reservedNanoUsd).toBeLessThanOrEqual(leasedNanoUsd ?? 0);
    });
  });

  test("the sum of the entries is the balance of every account", () => {
    holds((clerk, operation) => {
      clerk.apply(operation);
      const { workflow, tasks, days } = clerk.ledger;
      expect(workflow).toEqual(sum(clerk.entries));
      expect(tasks.get(0) ?? sum([])).toEqual(sum(clerk.entries.filter(({ task }) => task === 0)));
      for (const [number, account] of days) {
        const { spent, reserved } = sum(clerk.entries.filter((entry) => entry.day === number));
        expect([account.spentNanoUsd, account.reservedNanoUsd]).toEqual([spent.nanoUsd, reserved.nanoUsd]);
      }
    });
  });

  test("an entry that is made again changes nothing", () => {
    holds((clerk, operation) => {
      clerk.apply(operation);
      const before = JSON.stringify(describeBooks(clerk.ledger));
      expect(clerk.apply(operation)).toEqual([]);
      expect(JSON.stringify(describeBooks(clerk.ledger))).toBe(before);
    });
  });

  test("books opened from what is stored are the books that were kept", () => {
    holds((clerk, operation) => {
      clerk.apply(operation);
      expect(describeBooks(openLedger(CAP, TASK_CAPS, { ...clerk.rows.read(), leases: clerk.leases }))).toEqual(describeBooks(clerk.ledger));
    });
  });

  test("nothing stays held once every call is settled, released or taken for spent", () => {
    holds(
      (clerk, operation) => clerk.apply(operation),
      (clerk) => {
        clerk.apply({ kind: "assume", at: Infinity });
        expect(clerk.ledger.workflow.reserved).toEqual({ nanoUsd: 0, tokens: 0 });
        expect([...clerk.ledger.open.values()]).toEqual([]);
        expect(nextExpiryAt(clerk.ledger)).toBe(Infinity);
      },
    );
  });

  test("what is spent is what the calls billed, once the reports of those taken for spent have come", () => {
    holds(
      (clerk, operation) => clerk.apply(operation),
      (clerk) => {
        clerk.apply({ kind: "assume", at: Infinity });
        for (const assumed of [...clerk.ledger.assumed.values()].flat()) clerk.apply({ kind: "settle", ref: assumed, share: 0.5, day: 0, isLate: true });
        const bills = [...clerk.rows.bills.values()];
        expect(clerk.ledger.workflow.spent.nanoUsd).toBe(bills.reduce((total, { nanoUsd }) => total + nanoUsd, 0));
        expect(clerk.ledger.assumed.size).toBe(0);
      },
    );
  });
});

describe("a reserve", () => {
  const a: CallRef = { task: 0, attempt: 1, call: 0 };
  const b: CallRef = { task: 1, attempt: 1, call: 0 };

  test.each([
    ["fits up to the task's cap", a, { nanoUsd: 40, tokens: 0 }, "fits"],
    ["never fits beyond it", a, { nanoUsd: 41, tokens: 0 }, "never"],
    ["waits for what others hold of the workflow's", b, { nanoUsd: 100, tokens: 0 }, "waits"],
    ["waits for what others hold of its tokens", b, { nanoUsd: 0, tokens: 1_000 }, "waits"],
    ["never fits beyond the workflow's cap", b, { nanoUsd: 101, tokens: 0 }, "never"],
    ["never fits beyond its tokens", b, { nanoUsd: 0, tokens: 1_001 }, "never"],
  ] as const)("%s", (_name, call, need, verdict) => {
    const ledger = createLedger();
    reserve(ledger, { task: 2, attempt: 1, call: 0 }, { nanoUsd: 10, tokens: 10 }, 0);
    expect(judgeReserve(ledger, call, need)).toBe(verdict);
  });

  test("has the room that is left once all others are released, by the narrowest cap", () => {
    const ledger = createLedger();
    reserve(ledger, b, { nanoUsd: 50, tokens: 0 }, 0);
    settle(ledger, { ...b, attempt: 2 }, { nanoUsd: 70, tokens: 300 }, 0, false);
    expect(findRoom(ledger, 0)).toEqual({ nanoUsd: 30, tokens: 700 });
    expect(findRoom(ledger, 1)).toEqual({ nanoUsd: 30, tokens: 700 });
    settle(ledger, a, { nanoUsd: 25, tokens: 0 }, 0, false);
    expect(findRoom(ledger, 0)).toEqual({ nanoUsd: 5, tokens: 700 });
    settle(ledger, { ...a, call: 1 }, { nanoUsd: 25, tokens: 0 }, 0, false);
    expect(findRoom(ledger, 0)).toEqual({ nanoUsd: 0, tokens: 700 });
  });

  test("has no bounds where there is no cap", () => {
    const ledger = openLedger({ nanoUsd: null, tokens: null }, new Map(), { ...EMPTY_BOOKS, leases: {} });
    expect(findRoom(ledger, 0)).toEqual({ nanoUsd: null, tokens: null });
  });
});
