/** Measures and prints; asserts nothing. `npm run bench` runs all, `npm run bench -- engine recovery` some, `--state DIR` says where state folders are. */
import { cpus, loadavg, release, totalmem, tmpdir, type } from "node:os";
import { parseArgs } from "node:util";
import { type BenchContext, createBenchContext } from "./bench-context.ts";
import { benchCore } from "./core.ts";
import { benchCost } from "./cost.ts";
import { benchDispatch } from "./dispatch.ts";
import { benchEngine } from "./engine.ts";
import { mib } from "./figures.ts";
import { benchGateway } from "./gateway.ts";
import { benchMemory } from "./memory.ts";
import { benchRecovery } from "./recovery.ts";
import { benchRouting } from "./routing.ts";

const benches: Record<string, (context: BenchContext) => Promise<void>> = { core: benchCore, routing: benchRouting, cost: async () => benchCost(), gateway: benchGateway, engine: benchEngine, dispatch: benchDispatch, recovery: benchRecovery, memory: benchMemory };

const { values, positionals } = parseArgs({ options: { state: { type: "string" } }, allowPositionals: true });
const unknown = positionals.filter((name) => benches[name] === undefined);
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);

const context = createBenchContext(values.state ?? null);
process.once("exit", context.cleanUp);
// Without this an interrupted run would leave its servers behind.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const startedAt = Date.now();
const [cpu] = cpus();
console.log(`${cpus().length} × ${cpu?.model ?? "?"}, ${mib(totalmem())}, ${type()} ${release()}, Node ${process.version}; load before: ${loadavg()[0]!.toFixed(1)}; state in ${values.state ?? tmpdir()}`);
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  console.log(`\n## ${name}`);
  await benches[name]!(context);
}
console.log(`\n${Math.round((Date.now() - startedAt) / 1_000)} s in all; load after: ${loadavg()[0]!.toFixed(1)}`);
