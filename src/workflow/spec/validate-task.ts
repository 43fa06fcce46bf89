import type { Json } from "../../errors.ts";
import { compileExpression, type CompiledExpression } from "../expressions/expression.ts";
import { compileTemplate } from "../expressions/template.ts";
import type { FaultList } from "../faults/fault-list.ts";
import { createSuggester, type Suggest } from "../faults/nearest-name.ts";
import { findExcess } from "../json/json-size.ts";
import { utf8Length } from "../json/utf8-length.ts";
import type { AgentDefinition } from "./agent.ts";
import { checkLlmInput } from "./llm-input.ts";
import { checkOutputSchema } from "./output-schema.ts";
import type { Wiring } from "./spec-dependencies.ts";
import type { ShapedTask } from "./spec-shape.ts";
import { MAX_ATTEMPT_TIMEOUT_MS, type TaskSpec } from "./spec.ts";

export interface TaskContext {
  /** Asked at most once per name. */
  agents: (name: string) => AgentDefinition | null;
  /** Names that there are, for who misspelt one; left out: nothing is suggested. */
  agentNames?: () => Iterable<string>;
  /** Configured models; null: not checked. */
  models: ReadonlySet<string> | null;
}

/** Most that a task's input and its schema may come to: with up to 4,999 dependencies the task still fits one row of 2 MB. */
export const MAX_INPUT_AND_SCHEMA_BYTES = 1_572_864;

/** Most expressions in the inputs of a workflow's tasks: twenty for each of 5,000. About half a second to compile. */
export const MAX_SPEC_EXPRESSIONS = 100_000;

/** Fields that only mean something to a language model. */
const LLM_FIELDS = ["model", "tier", "maxOutputTokens", "context", "output"] as const satisfies (keyof TaskSpec)[];

interface TaskCheck {
  wiring: Wiring;
  context: TaskContext;
  faults: FaultList;
  agents: Map<string, AgentDefinition | null>;
  /** Expressions of transform agents, by agent. */
  expressions: Map<string, CompiledExpression | { message: string }>;
  /** In inputs, of all that a workflow may have. */
  expressionsLeft: number;
  suggestAgent: Suggest;
  suggestModel: Suggest;
}

/** A check of one task after the other, which asks for every agent once. `agents` are those found so far. */
export function createTaskCheck(wiring: Wiring, context: TaskContext, faults: FaultList): { check: (task: ShapedTask, index: number) => void; agents: Map<string, AgentDefinition> } {
  const found = new Map<string, AgentDefinition>();
  const run: TaskCheck = { wiring, context, faults, agents: new Map(), expressions: new Map(), expressionsLeft: MAX_SPEC_EXPRESSIONS, suggestAgent: createSuggester(context.agentNames ?? (() => [])), suggestModel: createSuggester(() => context.models ?? []) };
  return {
    agents: found,
    check: (shaped, index) => {
      const agent = shaped.broken.has("agent") ? null : findAgent(run, shaped.task, index);
      if (agent !== null) found.set(shaped.task.agent, agent);
      checkTask(run, shaped, agent, index);
    },
  };
}

function findAgent(run: TaskCheck, task: TaskSpec, index: number): AgentDefinition | null {
  let agent = run.agents.get(task.agent);
  if (agent === undefined) run.agents.set(task.agent, (agent = run.context.agents(task.agent)));
  if (agent === null) run.faults.add(`/tasks/${index}/agent`, `unknown agent "${task.agent}"${run.suggestAgent(task.agent)}`);
  return agent;
}

function checkTask(run: TaskCheck, { task, broken }: ShapedTask, agent: AgentDefinition | null, index: number): void {
  const path = `/tasks/${index}`;
  checkInput(run, task, index);
  if (task.when !== undefined) checkWhen(run, task.when, index);
  if (task.output !== undefined) checkSchema(run, task.input, task.output.schema, `${path}/output/schema`);
  if (task.model !== undefined && run.context.models?.has(task.model) === false) run.faults.add(`${path}/model`, `unknown model "${task.model}"${run.suggestModel(task.model)}`);
  if (agent === null) return;
  checkTimeout(run, task, agent, path);
  if (agent.kind !== "llm") return checkNoLlmFields(run, task, agent, index);
  if (agent.model !== null && task.model === undefined && run.context.models?.has(agent.model) === false) {
    run.faults.add(`${path}/agent`, `the agent "${task.agent}" uses the unknown model "${agent.model}"`);
  }
  if (broken.has("input")) return;
  const seesDependencies = task.context?.mode !== "none" && (task.dependsOn.length > 0 || broken.has("dependsOn"));
  checkLlmInput(task.input, seesDependencies, `${path}/input`, run.faults);
}

function checkSchema(run: TaskCheck, input: Json, schema: boolean | Record<string, Json>, path: string): void {
  checkOutputSchema(schema, path, run.faults);
  if (findExcess(input) !== null || findExcess(schema) !== null) return;
  const bytes = utf8Length(JSON.stringify([input, schema]));
  if (bytes > MAX_INPUT_AND_SCHEMA_BYTES) run.faults.add(path, `comes to ${bytes} bytes together with the task's input, more than ${MAX_INPUT_AND_SCHEMA_BYTES}; shorten one of them`);
}

function checkInput(run: TaskCheck, task: TaskSpec, index: number): void {
  const path = `/tasks/${index}/input`;
  const excess = findExcess(task.input);
  if (excess !== null) return run.faults.add(path, excess);
  // The one that goes beyond has said so; those after it are not compiled.
  if (run.expressionsLeft < 0) return;
  const template = compileTemplate(task.input, { input: false });
  if (!("faults" in template)) run.expressionsLeft -= template.places.length;
  if (run.expressionsLeft < 0) run.faults.add(path, `brings the expressions in the tasks' inputs to more than ${MAX_SPEC_EXPRESSIONS}`);
  if ("faults" in template) for (const fault of template.faults) run.faults.add(path + fault.path, fault.message);
  for (const place of template.places) checkReferences(run, place.references.tasks, index, path + place.path);
}

/** Types that a condition may have before its values are known. */
function canBeCondition(type: string): boolean {
  return type === "bool" || type.startsWith("dyn");
}

function checkWhen(run: TaskCheck, when: string, index: number): void {
  const path = `/tasks/${index}/when`;
  const expression = compileExpression(when, { input: false });
  if ("message" in expression) return run.faults.add(path, expression.message);
  if (!canBeCondition(expression.type)) run.faults.add(path, `must give a bool, and gives a ${expression.type}`);
  checkReferences(run, expression.references.tasks, index, path);
}

function checkReferences(run: TaskCheck, ids: ReadonlySet<string>, index: number, path: string, subject = ""): void {
  for (const id of ids) {
    const position = run.wiring.positionOf(id);
    if (position === undefined) run.faults.add(path, `${subject}reads the unknown task "${id}"${run.wiring.suggest(id)}`);
    else if (position === index) run.faults.add(path, `${subject}reads the task itself, which has no output before it ran`);
    else if (!run.wiring.mayRead(index, position)) run.faults.add(path, `${subject}reads tasks.${id}, which is not a dependency; add "${id}" to dependsOn`);
  }
}

function checkTimeout(run: TaskCheck, task: TaskSpec, agent: AgentDefinition, path: string): void {
  if (task.timeoutMs <= MAX_ATTEMPT_TIMEOUT_MS || (agent.kind === "http" && agent.mode === "callback")) return;
  run.faults.add(`${path}/timeoutMs`, `must be at most ${MAX_ATTEMPT_TIMEOUT_MS}; only HTTP agents in callback mode can take longer`);
}

function checkNoLlmFields(run: TaskCheck, task: TaskSpec, agent: AgentDefinition, index: number): void {
  const path = `/tasks/${index}`;
  const fields: string[] = LLM_FIELDS.filter((field) => task[field] !== undefined);
  if (task.stream) fields.push("stream");
  for (const field of fields) run.faults.add(`${path}/${field}`, `is for language models; the agent "${task.agent}" is of kind ${agent.kind}`);
  if (agent.kind === "transform") checkTransform(run, task.agent, agent.expression, index);
}

function checkTransform(run: TaskCheck, name: string, source: string, index: number): void {
  const path = `/tasks/${index}/agent`;
  let expression = run.expressions.get(name);
  if (expression === undefined) run.expressions.set(name, (expression = compileExpression(source, { input: true })));
  if ("message" in expression) return run.faults.add(path, `the expression of the agent "${name}": ${expression.message}`);
  checkReferences(run, expression.references.tasks, index, path, `the expression of the agent "${name}" `);
}
