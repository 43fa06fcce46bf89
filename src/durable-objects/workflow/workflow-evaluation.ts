import type { Failure, Json } from "../../errors.ts";
import { evaluateExpression, evaluateTransform, type ReadScope } from "../../workflow/attempt-input.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import { MAX_VALUE_BYTES } from "../../workflow/json/json-size.ts";
import type { Outlook } from "../../workflow/outlook.ts";
import type { Run } from "../../workflow/run.ts";
import type { AttemptResult } from "../../workflow/step.ts";
import { utf8Length } from "../../workflow/json/utf8-length.ts";
import { describeBudget } from "./describe-budget.ts";
import type { NewOutput } from "./stores/step-store.ts";
import type { Identity, WorkflowStore } from "./stores/workflow-store.ts";

/** Outputs (bytes of JSON) kept parsed for the expressions and the orders of a step. */
const MAX_PARSED_BYTES = 8_388_608;

/** The workflow whose expressions are evaluated. */
interface EvaluationSource {
  store: WorkflowStore;
  identity: Identity;
  run: Run;
  agents: Record<string, AgentDefinition>;
  taskNumbers: ReadonlyMap<string, number>;
  outlook: Outlook | null;
}

/** Evaluates a workflow's expressions over stored values, and keeps what they give. Make one for each step: it remembers what it read. */
export class WorkflowEvaluation {
  readonly #source: EvaluationSource;
  readonly #outputs = new Map<number, Json>();
  /** Outputs that came with this step, to be stored with it. */
  readonly newOutputs = new Map<number, NewOutput>();
  /** What else came up, to be stored with the step. */
  readonly writes: (() => void)[];
  #parsedBytes = 0;
  #input: { value: Json } | null = null;

  constructor(source: EvaluationSource, writes: (() => void)[]) {
    this.#source = source;
    this.writes = writes;
  }

  readonly readScope: ReadScope = (references) => {
    const { store, run, taskNumbers, outlook } = this.#source;
    if (references.roots.has("workflow")) this.#input ??= { value: store.read("input") };
    const tasks = [...references.tasks].map((id) => {
      const task = taskNumbers.get(id)!;
      return [id, { output: this.readOutput(task), status: run.tasks[task]!.status }] as const;
    });
    const scope = { workflow: { input: this.#input?.value ?? null }, tasks: Object.fromEntries(tasks) };
    return references.roots.has("budget") ? { ...scope, budget: { ...describeBudget(run, outlook) } } : scope;
  };

  evaluateWhen(task: number): boolean | Failure {
    const value = evaluateExpression(this.#source.store.readTaskSpec(task).when!, this.readScope);
    if (!value.ok) return expressionFailure(`when: ${value.message}`);
    return typeof value.value === "boolean" ? value.value : expressionFailure(`when: gave ${JSON.stringify(value.value)?.slice(0, 100)}, not true or false`);
  }

  /** Runs a transform task. */
  runTransform(task: number): AttemptResult {
    const spec = this.#source.store.readTaskSpec(task);
    const agent = this.#source.agents[spec.agent]!;
    if (agent.kind !== "transform") throw new Error(`task ${spec.id} was dispatched inline with an agent of kind ${agent.kind}`);
    const value = evaluateTransform(spec, agent, this.readScope);
    return value.ok ? this.keepOutput(task, value.value) : { status: "failed", failure: expressionFailure(value.message), retryAfterMs: null };
  }

  /** Keeps an output to be stored, or refuses it for its size. */
  keepOutput(task: number, output: Json): AttemptResult {
    const json = JSON.stringify(output);
    const outputBytes = utf8Length(json);
    if (outputBytes > MAX_VALUE_BYTES) {
      const message = `the output has ${outputBytes} bytes, more than the ${MAX_VALUE_BYTES} a value may have; return a reference to it instead`;
      return { status: "failed", failure: { code: "agent_bad_response", message, retryable: false }, retryAfterMs: null };
    }
    this.newOutputs.set(task, { json, bytes: outputBytes });
    this.#remember(task, output, json.length);
    return { status: "completed", outputBytes };
  }

  /** Keeps the workflow's result, or says why there is none. */
  evaluateResult(): Failure | null {
    const source = this.#source.identity.spec.result;
    if (source === undefined) return null;
    const value = evaluateExpression(source, this.readScope);
    if (!value.ok) return expressionFailure(`result: ${value.message}`);
    const bytes = utf8Length(JSON.stringify(value.value));
    if (bytes > MAX_VALUE_BYTES) return expressionFailure(`result: the value has ${bytes} bytes, more than the ${MAX_VALUE_BYTES} a value may have`);
    this.writes.push(() => this.#source.store.write("result", value.value));
    return null;
  }

  /** An output, to be read only: it is parsed once for all who read it, as long as they are not many. */
  readonly readOutput = (task: number): Json => {
    const known = this.#outputs.get(task);
    if (known !== undefined) return known;
    const json = this.newOutputs.get(task)?.json ?? this.#source.store.steps.readOutputJson(task) ?? "null";
    const output = JSON.parse(json) as Json;
    this.#remember(task, output, json.length);
    return output;
  };

  /** Several outputs in one statement; those that are known already are not read again. */
  readonly readOutputs = (tasks: readonly number[]): Json[] => {
    const missing = tasks.filter((task) => !this.#outputs.has(task) && !this.newOutputs.has(task));
    if (missing.length > 1) for (const [task, json] of this.#source.store.steps.readOutputJsons(missing)) this.#remember(task, JSON.parse(json) as Json, json.length);
    return tasks.map(this.readOutput);
  };

  #remember(task: number, output: Json, characters: number): void {
    this.#parsedBytes += characters;
    if (this.#parsedBytes > MAX_PARSED_BYTES) {
      this.#outputs.clear();
      this.#parsedBytes = characters;
    }
    this.#outputs.set(task, output);
  }
}

function expressionFailure(message: string): Failure {
  return { code: "expression_failed", message, retryable: false };
}
