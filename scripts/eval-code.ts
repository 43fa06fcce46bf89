import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { reduceContext } from "../src/optimizer/reduce-context.ts";
import { projectRoot } from "./local-worker.ts";

/** Prints how many questions to this program's own source are still answered by a reduction of it. */
const BUDGETS = [16_000, 8_000, 4_000];
const QUESTIONS_AT_ONCE = 4;

/** Asked as somebody would who does not know the names in the program. */
const FACTS: readonly [question: string, answer: string][] = [
  ["How many tasks can one workflow hold?", "MAX_TASKS = 5_000"],
  ["How long can we wait for a callback before giving up?", "MAX_WAIT_TIMEOUT_MS = 2_592_000_000"],
  ["How often may the runtime lose an attempt before the task fails?", "MAX_LOSSES = 10"],
  ["How big can a single stored value be?", "MAX_VALUE_BYTES = 1_048_576"],
  ["How deeply may values be nested?", "MAX_JSON_DEPTH = 64"],
  ["What is the longest expression that one may write?", "MAX_EXPRESSION_BYTES = 4_096"],
  ["How many errors does one answer list at most?", "MAX_FAULTS = 1_000"],
  ["How many different words does a reduction tell apart?", "MAX_TERMS = 131_072"],
  ["How long is a probe of a broken provider trusted?", "PROBE_LEASE_MS = 30_000"],
  ["How many bytes of an upstream answer are accepted?", "MAX_UPSTREAM_BYTES = 33_554_432"],
  ["How many typos may a name have and still get a suggestion?", "MAX_EDITS = 2"],
  ["How many attempts run at once when nothing is said?", "DEFAULT_MAX_CONCURRENCY = 5"],
  ["How many steps are classified with one question to the model?", "MAX_BATCH_STEPS = 20"],
  ["Beneath which confidence is a model asked for the intent?", "DEFAULT_INTENT_THRESHOLD = 0.6"],
  ["What does a caught error cost in an expression?", "ERROR_COST = 100"],
  ["When is a tenant asked again whose budget others hold?", "ASK_AGAIN_MS = 1_000"],
  ["How long after its lease may a late attempt still bill?", "ORPHAN_GRACE_MS = 30_000"],
  ["How long does the scheduler wait for a message of the queue?", "MAX_CLAIM_LEASE_MS = 300_000"],
  ["How many metadata entries are allowed?", "MAX_METADATA_KEYS = 50"],
  ["How many conditions are tested in one go?", "MAX_WHENS_PER_STEP = 256"],
  ["How large is a piece of streamed text of the embedded engine?", "DELTA_CHARACTERS = 80"],
  ["What is the smallest context that one can reduce to?", "MIN_CONTEXT_TOKENS = 64"],
  ["How long do we wait before the second repeat of a lost attempt?", "FIRST_LOSS_DELAY_MS = 250"],
  ["Which headers carry the key of a provider?", 'KEY_HEADERS = ["authorization"'],
];

const paths = execFileSync("git", ["ls-files", "src/workflow", "src/durable-objects", "src/optimizer", "src/router"], { cwd: projectRoot, encoding: "utf8" }).split("\n").filter(Boolean);
const text = paths.map((path) => `${path}\n\n${readFileSync(join(projectRoot, path), "utf8")}`).join("\n");
const facts = FACTS.filter(([, answer]) => text.includes(answer));

console.log(`questions to ${paths.length} files of source (${text.length.toLocaleString("en")} characters): ${facts.length} of ${FACTS.length} have their answer there`);
for (const maxTokens of BUDGETS) {
  const missing: string[] = [];
  for (let from = 0; from < facts.length; from += QUESTIONS_AT_ONCE) {
    const asked = facts.slice(from, from + QUESTIONS_AT_ONCE);
    const query = `Answer from the source, one line each:\n${asked.map(([question]) => `- ${question}`).join("\n")}`;
    const reduced = reduceContext(text, { query, maxTokens }).text;
    missing.push(...asked.filter(([, answer]) => !reduced.includes(answer)).map(([, answer]) => answer));
  }
  const alone = facts.filter(([query, answer]) => reduceContext(text, { query, maxTokens: maxTokens / QUESTIONS_AT_ONCE }).text.includes(answer)).length;
  console.log(`${String(maxTokens).padStart(6)} tokens: ${QUESTIONS_AT_ONCE} questions at once ${facts.length - missing.length}, each alone in a quarter of them ${alone}   missing: ${missing.join(", ")}`);
}
