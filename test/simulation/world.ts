import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { RunInput } from "../../src/workflow/transition.ts";
import type { Agenda } from "./agenda.ts";
import type { ReserveAnswer, ReserveRequest } from "../../src/workflow/budget/reserve-port.ts";
import { CallLost, type SimulatedObject } from "./object.ts";
import type { Oracle } from "./oracle.ts";
import type { Provider } from "./provider.ts";
import type { Random } from "./random.ts";
import type { Faults, Scenario } from "./scenario.ts";
import type { Store } from "./store.ts";
import type { TenantBudget } from "./tenant-budget.ts";

/** What the parts around the object share. */
export interface World {
  scenario: Scenario;
  agenda: Agenda;
  random: Random;
  object: SimulatedObject;
  store: Store;
  oracle: Oracle;
  provider: Provider;
  account: TenantBudget;
  /** Whether a fault strikes now. */
  strikes: (fault: keyof Faults) => boolean;
}

/** A call of the object over the network: the request may be lost, the object may die, the answer may be lost. */
export function callObject(world: World, input: RunInput): AttemptRef[] {
  if (world.strikes("loseRequest")) throw new CallLost("the request was lost");
  const accepted = world.object.call(input);
  if (world.strikes("loseAnswer")) throw new CallLost("the answer was lost");
  return accepted;
}

/** Asks the object to hold what a call may cost. `hear` gets one answer, or `lost` if the connection broke before it came. */
export function reserveCall(world: World, request: ReserveRequest, hear: (answer: ReserveAnswer | "lost") => void): void {
  const { agenda, random, object } = world;
  const hearLater = (answer: ReserveAnswer | "lost"): void => agenda.after(random.between(0, 2), () => hear(answer));
  if (world.strikes("repeatReserve")) agenda.after(random.pick([1, 50, 3_000]), () => persist(world, 1, () => object.call({ type: "reserve", requests: [request] })));
  if (world.strikes("loseRequest")) return hearLater("lost");
  agenda.after(random.between(0, 2), () => object.reserve(request, (answer) => hearLater(world.strikes("loseAnswer") ? "lost" : answer)));
}

/** Does something that may be lost; tries again after a pause, `tries` times in all. */
export function persist(world: World, tries: number, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof CallLost)) throw error;
    if (tries > 1) world.agenda.after(world.random.between(1, 400), () => persist(world, tries - 1, action));
  }
}
