import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TenantBudget } from "../../../src/config/tenant-record.ts";
import { assumeSpent, closeShare, daysOfPeriod, heldOf, leaseShare, settleShare, takeSpend, type ShareAnswer } from "../../../src/workflow/budget/tenant-account.ts";
import { MemoryBook } from "./account-book.ts";
import { ShareWorld } from "./share-holders.ts";

const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000;
const TODAY = dayOf("2026-11-30");
const A = { id: "a", createdAt: 1 };
const B = { id: "b", createdAt: 1 };

function createBook(budget: TenantBudget | null): MemoryBook {
  const book = new MemoryBook();
  book.budget = budget;
  return book;
}

let revisions = 0;
function lease(book: MemoryBook, holder: typeof A, needed: number, wanted = needed, changes: { day?: number; revision?: number; expiresAt?: number } = {}): ShareAnswer {
  return leaseShare(book, { holder, day: TODAY, neededNanoUsd: needed, wantedNanoUsd: wanted, revision: (revisions += 1), expiresAt: null, ...changes });
}

describe("a period", () => {
  test.each([
    ["day", "2026-11-30", "2026-11-30", "2026-11-30"],
    ["month", "2026-11-30", "2026-11-01", "2026-11-30"],
    ["month", "2026-12-31", "2026-12-01", "2026-12-31"],
    ["month", "2028-02-01", "2028-02-01", "2028-02-29"],
  ] as const)("of a %s around %s goes from %s to %s", (period, day, first, last) => {
    expect(daysOfPeriod(period, dayOf(day))).toEqual({ firstDay: dayOf(first), lastDay: dayOf(last) });
  });

  test("of all days has no end", () => {
    const { firstDay, lastDay } = daysOfPeriod("total", TODAY);
    expect([firstDay <= 0, lastDay > TODAY + 1_000_000]).toEqual([true, true]);
  });

  test.each([
    ["day", [0, 100]],
    ["month", [0, 100]],
    ["total", [0, 0]],
  ] as const)("of a %s begins anew at midnight of the month's end", (period, [, onNext]) => {
    const book = createBook({ maxNanoUsd: 100, period });
    expect(lease(book, A, 100)).toMatchObject({ leasedNanoUsd: 100 });
    expect(lease(book, B, 100)).toMatchObject({ leasedNanoUsd: 0, mostNanoUsd: 0 });
    expect(lease(book, B, 100, 100, { day: TODAY + 1 })).toMatchObject({ leasedNanoUsd: onNext });
  });

  test("of a month takes a lease of the day before from the month of that day", () => {
    const book = createBook({ maxNanoUsd: 100, period: "month" });
    lease(book, A, 80, 80, { day: TODAY + 1 });
    expect(lease(book, B, 100)).toMatchObject({ leasedNanoUsd: 100 });
  });
});

describe("a lease", () => {
  test("of a tenant without a budget is unlimited and leaves no trace", () => {
    const book = createBook(null);
    expect(lease(book, A, 100)).toEqual({ kind: "unlimited" });
    expect(book.entries.size).toBe(0);
  });

  test("has what is needed, and of what is wanted beyond that at most half of the room", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    expect(lease(book, A, 10, 90)).toMatchObject({ leasedNanoUsd: 50, mayGrow: false, mostNanoUsd: 100 });
    expect(lease(book, B, 50, 90)).toMatchObject({ leasedNanoUsd: 50, mostNanoUsd: 50 });
  });

  test("is refused up to the last nano-dollar, and may grow while others hold what they have not spent", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 60);
    expect(lease(book, B, 41)).toEqual({ kind: "leased", leasedNanoUsd: 0, mayGrow: true, mostNanoUsd: 40 });
    expect(lease(book, B, 40)).toMatchObject({ leasedNanoUsd: 40, mayGrow: false });
  });

  test("that would fit in no case has what is left, so that something smaller can be done", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 60, leasedNanoUsd: 60, revision: 1 });
    expect(lease(book, B, 41)).toEqual({ kind: "leased", leasedNanoUsd: 40, mayGrow: false, mostNanoUsd: 40 });
  });

  test("never shrinks by another request, nor below what is spent", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 60);
    expect(lease(book, A, 10)).toMatchObject({ leasedNanoUsd: 60 });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 70, leasedNanoUsd: 60, revision: (revisions += 1) });
    expect(lease(book, A, 0)).toMatchObject({ leasedNanoUsd: 70 });
  });

  test("asked for before something was told is not given", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 1, leasedNanoUsd: 5, revision: 1_000 });
    expect(lease(book, A, 50, 50, { revision: 999 })).toMatchObject({ leasedNanoUsd: 5 });
    expect(lease(book, A, 50, 50, { revision: 1_001 })).toMatchObject({ leasedNanoUsd: 50 });
  });

  test("is not lowered by what was told before it was asked for", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 50, 50, { revision: 2_000 });
    expect(takeSpend(book, A, { day: TODAY, spentNanoUsd: 3, leasedNanoUsd: 5, revision: 1_999 })).toBe(true);
    expect(book.readEntry(A, TODAY)).toMatchObject({ leasedNanoUsd: 50, spentNanoUsd: 3 });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 3, leasedNanoUsd: 5, revision: 2_001 });
    expect(heldOf(book.readEntry(A, TODAY)!)).toBe(5);
  });

  test("is refused under a budget that was lowered below what is held, until enough came back", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 80, 80, { revision: 1 });
    book.budget = { maxNanoUsd: 50, period: "day" };
    expect(lease(book, B, 1)).toMatchObject({ leasedNanoUsd: 0, mayGrow: true });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 20, leasedNanoUsd: 20, revision: 2 });
    expect(lease(book, B, 30)).toMatchObject({ leasedNanoUsd: 30 });
    expect(lease(book, A, 21)).toMatchObject({ leasedNanoUsd: 20, mayGrow: true });
  });

  test("counts what was spent before there was a budget", () => {
    const book = createBook(null);
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 90, leasedNanoUsd: 0, revision: 1 });
    book.budget = { maxNanoUsd: 100, period: "month" };
    expect(lease(book, B, 11)).toMatchObject({ leasedNanoUsd: 10, mayGrow: false });
  });

  test("of a workflow that is gone is free again but for what it spent", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 80, 80, { revision: 1 });
    takeSpend(book, A, { day: TODAY, spentNanoUsd: 30, leasedNanoUsd: 80, revision: 2 });
    closeShare(book, A, TODAY);
    expect(lease(book, B, 70)).toMatchObject({ leasedNanoUsd: 70 });
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 100, spentNanoUsd: 30 });
  });
});

describe("a call of the gateway", () => {
  test("is settled at its cost in the place of what was reserved, on the day of the reservation", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 70, 70, { expiresAt: 5 });
    settleShare(book, A, TODAY, 12);
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 12, spentNanoUsd: 12 });
    expect(book.entries.size).toBe(0);
  });

  test("that nobody settled counts in full, until its cost comes late", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    lease(book, A, 70, 70, { expiresAt: 5 });
    assumeSpent(book, A, TODAY);
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 70, spentNanoUsd: 70 });
    settleShare(book, A, TODAY, 12);
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 12, spentNanoUsd: 12 });
  });

  test("that does not fit takes nothing: there is nothing smaller that it could do with it", () => {
    const book = createBook({ maxNanoUsd: 100, period: "day" });
    expect(lease(book, A, 101, 101, { expiresAt: 5 })).toMatchObject({ leasedNanoUsd: 0, mayGrow: false, mostNanoUsd: 100 });
    expect(book.entries.size).toBe(0);
  });
});

describe("whatever is lost, late or repeated", () => {
  const HOLDERS = 3;
  const day = fc.constantFrom(TODAY - 1, TODAY, TODAY + 1);
  const amount = fc.integer({ min: 0, max: 120 });
  const holder = fc.nat(HOLDERS - 1);
  const share = fc.constantFrom(0, 0.3, 1);
  type Action = (world: ShareWorld) => void;
  const ask = fc.tuple(holder, day, amount, amount).map(([index, on, more, extra]): Action => (world) => world.ask(index, on, more, extra));
  const deliver = fc.tuple(fc.nat(50), fc.boolean()).map(([at, again]): Action => (world) => world.deliver(at, again));
  const calm = [
    ask,
    ask,
    deliver,
    deliver,
    deliver,
    fc.tuple(holder, day, amount).map(([index, on, more]): Action => (world) => world.reserve(index, on, more)),
    fc.tuple(holder, day, share).map(([index, on, part]): Action => (world) => world.settle(index, on, part, 0)),
    fc.tuple(holder, day, share).map(([index, on, part]): Action => (world) => world.correct(index, on, part)),
    fc.tuple(holder, day).map(([index, on]): Action => (world) => world.trim(index, on)),
    fc.tuple(holder, day).map(([index, on]): Action => (world) => world.tell(index, on)),
    fc.nat(50).map((at): Action => (world) => world.lose(at)),
  ];
  const period = fc.constantFrom("day" as const, "month" as const, "total" as const);
  const budget = fc.tuple(fc.integer({ min: 0, max: 300 }), period).map(([maxNanoUsd, of]): TenantBudget => ({ maxNanoUsd, period: of }));
  const change = fc.option(budget, { freq: 3 }).map((next): Action => (world) => void (world.book.budget = next));
  const overrun = fc.tuple(holder, day, amount).map(([index, on, more]): Action => (world) => world.settle(index, on, 1, more));

  const usedOf = (world: ShareWorld, first: number, last: number): number =>
    world.holders.flatMap(({ days }) => [...days]).reduce((sum, [on, { spent, reserved }]) => sum + (on < first || on > last ? 0 : spent + reserved), 0);

  test("what is spent and reserved never passes the budget of its period", () => {
    fc.assert(
      fc.property(budget, fc.array(fc.oneof(...calm), { minLength: 20, maxLength: 120 }), (limit, actions) => {
        const world = new ShareWorld(createBook(limit), HOLDERS);
        for (const act of actions) {
          act(world);
          for (const on of [TODAY - 1, TODAY, TODAY + 1]) {
            const { firstDay, lastDay } = daysOfPeriod(limit.period, on);
            expect(usedOf(world, firstDay, lastDay)).toBeLessThanOrEqual(limit.maxNanoUsd);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("the sum of entries is the balance, no lease passes the budget of the moment, and no holder may spend what is not held for it", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...calm, ...calm, change, overrun), { minLength: 20, maxLength: 150 }), (actions) => {
        const world = new ShareWorld(createBook({ maxNanoUsd: 200, period: "day" }), HOLDERS);
        const { book } = world;
        world.onLease = (run, on) => {
          const days = book.budget === null ? null : daysOfPeriod(book.budget.period, on);
          const before = days === null ? 0 : book.sumDays(days.firstDay, days.lastDay).heldNanoUsd;
          run();
          if (days !== null) expect(book.sumDays(days.firstDay, days.lastDay).heldNanoUsd).toBeLessThanOrEqual(Math.max(before, book.budget!.maxNanoUsd));
        };
        for (const act of actions) {
          act(world);
          for (const on of [TODAY - 1, TODAY, TODAY + 1]) expect(book.sumDays(on, on)).toEqual(book.addUp(on));
          for (const { holder: name, days } of world.holders) {
            for (const [on, { leased }] of days) expect(leased).toBeLessThanOrEqual(heldOf(book.readEntry(name, on) ?? { leasedNanoUsd: 0, spentNanoUsd: 0, toldRevision: 0, askedRevision: 0, expiresAt: null }));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("after the last word of every holder the account is what they spent", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...calm, change, overrun), { minLength: 20, maxLength: 100 }), fc.array(fc.nat(100), { maxLength: 300 }), (actions, order) => {
        const world = new ShareWorld(createBook({ maxNanoUsd: 200, period: "month" }), HOLDERS);
        actions.forEach((act) => act(world));
        const days = [TODAY - 1, TODAY, TODAY + 1];
        world.holders.forEach((_, index) => days.forEach((on) => {
          world.settle(index, on, 1, 0);
          world.dayOf(index, on).leased = 0;
          world.tell(index, on);
        }));
        // What is still under way comes in any order, the last words among it; nothing more of it is lost.
        order.forEach((at) => world.deliver(at, false));
        while (world.network.length > 0) world.deliver(0, false);
        for (const on of days) {
          const spent = world.holders.reduce((sum, { days: known }) => sum + (known.get(on)?.spent ?? 0), 0);
          expect(world.book.sumDays(on, on)).toEqual({ heldNanoUsd: spent, spentNanoUsd: spent });
        }
      }),
      { numRuns: 300 },
    );
  });
});
