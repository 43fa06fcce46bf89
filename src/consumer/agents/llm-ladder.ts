import type { TokenMargins } from "../../optimizer/tokens/token-margin.ts";
import { isReady, listBelow, mayGoBelow } from "../../router/allowed-models.ts";
import type { RankedModel } from "../../router/rank.ts";
import type { CallContext } from "../../router/route-call.ts";
import type { RouteChoice, RouteRequest } from "../../router/route-request.ts";
import type { Cap } from "../../workflow/budget/amount.ts";
import { fitsRoom, largestInput, largestOutput, worstCaseOf, type WorstCase } from "./attempt-budget.ts";
import { boundInput, capOutput, type LlmTask } from "./llm-call.ts";

/** Shortest answer that is still asked for where the budget is short (contract). */
export const LEAST_OUTPUT_TOKENS = 64;
/** Least context that is worth sending. */
const LEAST_CONTEXT_TOKENS = 64;
/** The bound of a reduced context is not known before it is made; this leaves room for what differs. */
const CONTEXT_MARGIN = 0.9;

/** What is asked, and whom. */
export interface Rung {
  task: LlmTask;
  choice: RouteChoice;
}

export interface LadderDeps {
  request: RouteRequest;
  context: CallContext;
  margins: TokenMargins;
  /** Tokens of what may be reduced, as it is now. */
  contextTokens: number;
  /** The task with its context brought down to so many tokens; null where nothing can be reduced. */
  reduceTo: (maxTokens: number) => LlmTask | null;
}

/** How often an attempt goes down: what it asks for next may be gone too when its turn comes, because others spent it meanwhile. */
export const MAX_DESCENTS = 20;

/** What can be had within the room, in this order (contract): a cheaper model, a smaller output cap, less context; null where nothing can. */
export function descend(rung: Rung, room: Cap, deps: LadderDeps): Rung | null {
  return takeCheaperModel(rung, room, deps) ?? takeSmallerOutput(rung, room, deps) ?? takeLessContext(rung, room, deps);
}

function takeCheaperModel({ task, choice }: Rung, room: Cap, deps: LadderDeps): Rung | null {
  const fitting = listAllowed(choice, deps).filter((candidate) => fitsRoom(worstCaseOf(boundInput(task, candidate, deps.margins), capOutput(task, candidate.model), candidate.model), room));
  return fitting.length === 0 ? null : { task, choice: chooseFor(choice, fitting, "its worst case fits the budget that is left") };
}

function takeSmallerOutput({ task, choice }: Rung, room: Cap, deps: LadderDeps): Rung | null {
  if (task.order.llm?.maxOutputTokens != null) return null;
  const caps = listAllowed(choice, deps).map((candidate) => {
    return { candidate, cap: largestOutput(boundInput(task, candidate, deps.margins), leastOutput(task, candidate), capOutput(task, candidate.model), candidate.model, room) };
  });
  const largest = Math.max(...caps.map(({ cap }) => cap ?? 0));
  const best = caps.find(({ cap }) => cap === largest);
  if (best === undefined || largest === 0) return null;
  return { task: { ...task, outputCap: largest }, choice: chooseFor(choice, [best.candidate], `the budget leaves it ${largest} tokens of output`) };
}

function takeLessContext({ task, choice }: Rung, room: Cap, deps: LadderDeps): Rung | null {
  if (deps.contextTokens === 0) return null;
  const inputs = listAllowed(choice, deps).map((candidate) => ({ candidate, bound: boundInput(task, candidate, deps.margins), most: largestInput(leastOutput(task, candidate), boundInput(task, candidate, deps.margins), candidate.model, room) }));
  const best = inputs.reduce((left, right) => (right.most > left.most ? right : left), inputs[0]!);
  // The bound of all that is sent, cut to what may be sent: the rest of the prompt stays, so the context takes all of the cut.
  const boundPerToken = best.bound / Math.max(1, task.built.inputTokens);
  const target = Math.floor((deps.contextTokens - (best.bound - best.most) / boundPerToken) * CONTEXT_MARGIN);
  const reduced = target < LEAST_CONTEXT_TOKENS ? null : deps.reduceTo(target);
  return reduced === null ? null : takeSmallerOutput({ task: reduced, choice }, room, deps) ?? takeCheaperModel({ task: reduced, choice }, room, deps);
}

/** What the task costs at most with the cheapest model and the smallest output cap that it may have. */
export function findLeastNeed({ task, choice }: Rung, deps: LadderDeps): WorstCase {
  const needs = listAllowed(choice, deps).map((candidate) => worstCaseOf(boundInput(task, candidate, deps.margins), leastOutput(task, candidate), candidate.model));
  return needs.reduce((least, need) => (need.costNanoUsd < least.costNanoUsd ? need : least));
}

/** A cap that the task itself names is left as it is. */
function leastOutput(task: LlmTask, { model }: RankedModel): number {
  const most = capOutput(task, model);
  return task.order.llm?.maxOutputTokens == null ? Math.min(LEAST_OUTPUT_TOKENS, most) : most;
}

/** The models that may answer: those of the chain, and of the tiers below where neither task nor agent names a tier or model. */
function listAllowed(choice: RouteChoice, { request, context }: LadderDeps): RankedModel[] {
  const chain = [choice.chosen, ...choice.fallbacks];
  if (request.model != null) return [choice.chosen];
  if (!mayGoBelow(request, context)) return chain;
  const others = [...choice.candidates.filter((candidate) => candidate.tier === choice.tier && isReady(candidate)), ...listBelow(request, choice.tier, context)];
  return [...chain, ...others.filter((candidate) => !chain.includes(candidate))];
}

function chooseFor(choice: RouteChoice, models: readonly RankedModel[], why: string): RouteChoice {
  const [chosen, ...fallbacks] = models as [RankedModel, ...RankedModel[]];
  return { ...choice, tier: chosen.tier, chosen, fallbacks, reason: `${choice.chosen.model.id} is more than the budget allows; ${chosen.model.id} of tier ${chosen.tier} takes the call: ${why}.` };
}
