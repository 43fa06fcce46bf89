import type { WorkflowEnding } from "../../../api/ports/stats-port.ts";
import { historyKeyOf } from "../../../consumer/planning/foresee-workflow.ts";
import { sumHistory, type EndedTask } from "../../../optimizer/agent-history.ts";
import type { WorkflowSession } from "../workflow-session.ts";

/** How a workflow went that has ended. O(tasks and calls), once for each end. */
export function describeEnding(session: WorkflowSession): WorkflowEnding {
  const { run, outlook } = session;
  const { status, finishedAt, createdAt } = run.state;
  const expected = { nanoUsd: 0, tokens: 0 };
  for (const { expectedNanoUsd, expectedTokens } of outlook?.tasks ?? []) {
    expected.nanoUsd += expectedNanoUsd;
    expected.tokens += expectedTokens;
  }
  // What failed on the way or was stopped says nothing about how well the whole was foreseen.
  const isForeseen = status === "completed" && expected.tokens > 0;
  return {
    revision: session.lastSeq,
    at: finishedAt ?? createdAt,
    history: sumHistory(listEndedTasks(session)),
    forecast: isForeseen ? { expected, used: { ...run.ledger.workflow.spent } } : null,
  };
}

function* listEndedTasks({ run, store, agents, agentNames }: WorkflowSession): Generator<EndedTask> {
  const calls = store.calls.countByTask();
  const types = store.readTaskTypes();
  for (const [task, { turns, tokens }] of calls) {
    const agent = agents[agentNames[task]!]!;
    if (agent.kind !== "llm") continue;
    const { startedAt, finishedAt, failures } = run.tasks[task]!;
    yield { ...historyKeyOf({ agent: agentNames[task]!, type: types[task] }, agent), turns, tokens, startedAt, finishedAt, failures };
  }
}
