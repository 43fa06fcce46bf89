import { dayOf } from "../../src/workflow/budget/utc-day.ts";
import type { LeaseAnswer, LeaseRequest } from "../../src/workflow/budget/reserve-port.ts";
import type { DaySpend } from "../../src/workflow/budget/tenant-account.ts";
import { CallLost } from "./object.ts";
import { persist, type World } from "./world.ts";

/** The workflow's question to its tenant: the answer may be slow, fail to come, or come again. One that fails may have been heard all the same. */
export function askForLease(world: World, request: LeaseRequest): void {
  const { agenda, random, object, account } = world;
  const { life } = object;
  const { day, revision } = request;
  const tell = (answer: LeaseAnswer): void => persist(world, 1, () => object.call({ type: "lease", day, revision, answer }));
  agenda.after(random.between(0, 10), () => {
    const isLost = world.strikes("loseLease");
    const answer = isLost && random.chance(0.5) ? null : account.answer(request, agenda.now);
    const delayMs = random.between(0, 10) + (world.strikes("delayLease") ? random.between(0, 60_000) : 0);
    // Mostly the caller hears of a loss; a connection that hangs says nothing.
    const isSilent = isLost && random.chance(0.5);
    agenda.after(delayMs, () => {
      if (object.life === life && !isSilent) tell(isLost || answer === null ? { kind: "failed" } : answer);
    });
    if (world.strikes("repeatLease")) agenda.after(delayMs + random.pick([1, 500, 5_000]), () => tell(answer ?? { kind: "failed" }));
  });
}

/** What other workflows lease, and when this one tells how its spending stands, or is asked to give back what it can. */
export function planLeases(world: World, clock: () => number): void {
  const { scenario, agenda, random, object, account } = world;
  if (scenario.budget === null) return;
  for (const { atMs, forMs, wantedNanoUsd, usedShare, spentShare } of scenario.budget.tenant.others) {
    agenda.after(atMs, () => {
      const end = account.lend(dayOf(clock()), wantedNanoUsd, usedShare);
      agenda.after(forMs, () => end(spentShare));
    });
  }
  for (const atMs of scenario.budget.tells) {
    agenda.after(atMs, () => {
      const told = callWorkflow(world, () => (random.chance(0.5) ? object.trim() : object.tellSpend()));
      if (told !== null) agenda.after(random.between(0, 50), () => account.take(told));
    });
  }
}

/** What the tenant asks of the workflow; null when it cannot be reached. */
export function callWorkflow(world: World, call: () => readonly DaySpend[]): readonly DaySpend[] | null {
  if (!world.store.isCreated || world.strikes("loseRequest")) return null;
  try {
    const told = call();
    return world.strikes("loseAnswer") ? null : told;
  } catch (error) {
    if (error instanceof CallLost) return null;
    throw error;
  }
}
