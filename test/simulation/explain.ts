import type { Core } from "./core.ts";
import { generateScenario } from "./generate.ts";
import type { Scenario } from "./scenario.ts";
import { shrinkScenario } from "./shrink.ts";
import { simulate } from "./simulate.ts";

const SHOWN_EVENTS = 40;

/** Why a seed fails, how to run it again, and the smallest scenario found that fails by the same rule, with its last events. */
export function explainFailure(seed: number, core?: Core): string {
  const whole = generateScenario(seed);
  const { failure } = simulate(whole, core);
  if (failure === null) return `seed ${seed} passes`;
  const shrunk = shrinkScenario(whole, (candidate) => simulate(candidate, core).failure?.rule === failure.rule);
  const verdict = simulate(shrunk, core);
  const events = verdict.events.slice(-SHOWN_EVENTS).map((event) => `  ${JSON.stringify(event)}`);
  return [
    `seed ${seed}: ${failure.message}`,
    `again: npm run soak -- --seed ${seed}`,
    `shrunk from ${whole.tasks.length} tasks to ${shrunk.tasks.length}: ${verdict.failure?.message}`,
    printScenario(shrunk),
    `last of ${verdict.events.length} events saved before it:`,
    ...events,
  ].join("\n");
}

function printScenario({ tasks, faults, ...rest }: Scenario): string {
  const active = Object.fromEntries(Object.entries(faults).filter(([, probability]) => probability > 0));
  return [JSON.stringify({ ...rest, faults: active }), ...tasks.map((task) => `  ${JSON.stringify(task)}`)].join("\n");
}
