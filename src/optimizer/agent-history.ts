/** What runs of one agent with one type of task have come to. Sums; older runs count less, so they need not be whole numbers. */
export interface AgentHistory {
  /** Tasks that made at least one call. */
  runs: number;
  /** Input and output together. */
  tokens: number;
  /** Calls of a model. */
  turns: number;
  durationMs: number;
  /** Attempts that failed. */
  failures: number;
}

export interface HistoryKey {
  agent: string;
  /** As the task or its agent names it; empty where neither does. */
  taskType: string;
}

export interface HistoryCell extends HistoryKey {
  history: AgentHistory;
}

/** A language-model task of a workflow that has ended, as far as its history goes. */
export interface EndedTask extends HistoryKey {
  turns: number;
  tokens: number;
  /** Unix ms; null for a task that never ran. */
  startedAt: number | null;
  finishedAt: number | null;
  failures: number;
}

/** Runs after which a cell counts as full: each further one makes those before it count less. Some hundred say enough, and a change of the agent shows within as many. */
export const MAX_HISTORY_RUNS = 200;
/** Cells that one workflow tells, those with most runs: more have nothing to learn from each other. */
export const MAX_TOLD_CELLS = 200;

const FIELDS = ["runs", "tokens", "turns", "durationMs", "failures"] as const satisfies (keyof AgentHistory)[];

export function nameHistory({ agent, taskType }: HistoryKey): string {
  return `${agent}\n${taskType}`;
}

/** What a workflow's tasks came to, by agent and type. O(tasks): at its end only. Tasks that called no model say nothing. */
export function sumHistory(tasks: Iterable<EndedTask>): HistoryCell[] {
  const cells = new Map<string, HistoryCell>();
  for (const task of tasks) {
    if (task.turns === 0) continue;
    const name = nameHistory(task);
    let cell = cells.get(name);
    if (cell === undefined) cells.set(name, (cell = { agent: task.agent, taskType: task.taskType, history: { runs: 0, tokens: 0, turns: 0, durationMs: 0, failures: 0 } }));
    const { history } = cell;
    history.runs += 1;
    history.tokens += task.tokens;
    history.turns += task.turns;
    history.durationMs += task.startedAt === null || task.finishedAt === null ? 0 : Math.max(0, task.finishedAt - task.startedAt);
    history.failures += task.failures;
  }
  return [...cells.values()].sort((left, right) => right.history.runs - left.history.runs).slice(0, MAX_TOLD_CELLS);
}

/**
 * What is known with what a workflow told now; `before` is what the same workflow had told earlier (it went on after its end).
 * A full cell forgets as much as it learns.
 */
export function learnHistory(known: AgentHistory | null, told: AgentHistory, before: AgentHistory | null): AgentHistory {
  const sums = { ...told };
  for (const field of FIELDS) sums[field] = Math.max(0, (known?.[field] ?? 0) + told[field] - (before?.[field] ?? 0));
  if (sums.runs <= MAX_HISTORY_RUNS) return sums;
  const kept = MAX_HISTORY_RUNS / sums.runs;
  for (const field of FIELDS) sums[field] *= kept;
  return sums;
}
