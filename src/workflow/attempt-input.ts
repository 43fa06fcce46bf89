import type { Json } from "../errors.ts";
import { compileExpression, type Evaluation, type Scope } from "./expressions/expression.ts";
import { compileTemplate } from "./expressions/template.ts";
import type { AgentDefinition } from "./spec/agent.ts";
import type { TaskSpec } from "./spec/spec.ts";

/** Gives the values that an expression refers to, read when asked for. */
export type ReadScope = (references: { tasks: ReadonlySet<string>; roots: ReadonlySet<string> }) => Scope;

/** Replaces every `${…}` of a task's input. */
export function renderInput(task: TaskSpec, readScope: ReadScope): Evaluation {
  const template = compileTemplate(task.input, { input: false });
  if ("faults" in template) return { ok: false, message: template.faults.map((fault) => `input${fault.path}: ${fault.message}`).join("; ") };
  return template.render(readScope(template.references));
}

/** Evaluates an expression that was accepted with the spec. */
export function evaluateExpression(source: string, readScope: ReadScope): Evaluation {
  const expression = compileExpression(source, { input: false });
  return "message" in expression ? { ok: false, message: expression.message } : expression.evaluate(readScope(expression.references));
}

/** Runs a transform agent: renders the task's input, then evaluates the agent's expression over it. */
export function evaluateTransform(task: TaskSpec, agent: Extract<AgentDefinition, { kind: "transform" }>, readScope: ReadScope): Evaluation {
  const input = renderInput(task, readScope);
  if (!input.ok) return input;
  const expression = compileExpression(agent.expression, { input: true });
  if ("message" in expression) return { ok: false, message: expression.message };
  return expression.evaluate({ ...readScope(expression.references), input: input.value as Json });
}
