import { restoreRun } from "../../src/workflow/run.ts";
import { nextWakeAt } from "../../src/workflow/timers.ts";
import { transition } from "../../src/workflow/transition.ts";

/** What the object uses of the core: the part that a mutant replaces. The checks always use the real one. */
export interface Core {
  transition: typeof transition;
  restoreRun: typeof restoreRun;
  nextWakeAt: typeof nextWakeAt;
}

export const realCore: Core = { transition, restoreRun, nextWakeAt };
