import { countSlots, isFinalWorkflow, type Run } from "../run.ts";
import { wakeAt, type Step } from "../step.ts";
import { sumWanted, type StartDemand } from "./start-permits.ts";
import { createStartsKnown, type StartsReply } from "./starts-known.ts";

/**
 * How long a question waits in the tenant's object for a start: twice as long with each that was in vain, so that the thousands that may wait behind a
 * tenant's limits take little of what others run on. An object that dies with its question is not missed for longer than the last of them.
 */
const FIRST_PATIENCE_MS = 10_000;
export const MAX_PATIENCE_MS = 60_000;
/** When a question counts as lost, in times of its patience. */
const LOST_FACTOR = 1.5;
/** Least time until a tenant that had nothing, or could not be reached, is asked again. Mostly its patience took longer. */
const ASK_AGAIN_MS = 1_000;
const NOTHING = [0, 0, 0, 0] as const;

/** Attempts that may start now, as far as the tenant's limits go. */
export function countStartsLeft({ state, starts, index }: Run): number {
  return state.isLimited ? Math.max(0, starts.upTo - index.counts.started) : Infinity;
}

/** O(1). Ready lists may hold tasks that are over: what is wanted for these goes back. */
function describeDemand(run: Run): StartDemand {
  const { index, plan, state } = run;
  const { started } = index.counts;
  let slots = state.status === "running" && !state.isFailing ? Math.max(0, plan.maxConcurrency - countSlots(run)) : 0;
  const wanted = index.ready.map(({ items, head }) => {
    const count = Math.min(slots, items.length - head);
    slots -= count;
    return count;
  }) as unknown as StartDemand["wanted"];
  return { started, ended: started - index.live.size, wanted };
}

/** Asks for what ready tasks lack, and tells of what ended or is not wanted any more: others may wait for it. The end is told with the index. */
export function askForStarts(step: Step): void {
  const { run, now } = step;
  const { starts, state } = run;
  if (!state.isLimited) return;
  if (isFinalWorkflow(state.status)) {
    Object.assign(starts, { upTo: 0, asked: null, told: { ...describeDemand(run), wanted: NOTHING } });
    return;
  }
  if (starts.asked !== null && lostAt(starts.asked) <= now) Object.assign(starts, { asked: null, told: null });
  if (!isNews(run, describeDemand(run))) return;
  if (starts.asked === null && now < starts.askAgainAt) return wakeAt(step, starts.askAgainAt);
  starts.questions += 1;
  const question = { number: starts.questions, demand: tellStarts(run), patienceMs: choosePatienceMs(starts.inVain, step.abilities.random()) };
  starts.asked = { ...question, askedAt: now };
  step.startsQuestion = question;
  // An object that dies with its question is woken to ask it again.
  wakeAt(step, lostAt(starts.asked));
}

function lostAt({ askedAt, patienceMs }: { askedAt: number; patienceMs: number }): number {
  return askedAt + Math.ceil(patienceMs * LOST_FACTOR);
}

/** Between half and all of it, so that workflows that were made together do not ask together. */
function choosePatienceMs(inVain: number, random: number): number {
  return Math.ceil(Math.min(FIRST_PATIENCE_MS * 2 ** inVain, MAX_PATIENCE_MS) * (0.5 + random / 2));
}

/** What the tenant is told now. What goes back by that is not there any more, whatever becomes of the message. */
export function tellStarts(run: Run): StartDemand {
  const { starts } = run;
  const demand = describeDemand(run);
  starts.upTo = Math.min(starts.upTo, demand.started + sumWanted(demand.wanted));
  starts.told = demand;
  return demand;
}

/** Takes the answer to the newest question. One without a start comes after a while: then it is asked again. */
export function takeStarts(step: Step, number: number, reply: StartsReply): void {
  const { run, now } = step;
  const { starts } = run;
  const { asked } = starts;
  if (asked?.number !== number) return;
  starts.asked = null;
  switch (reply.kind) {
    case "unlimited":
      return setLimited(step, false);
    case "failed":
      starts.told = null;
      starts.askAgainAt = now + ASK_AGAIN_MS;
      return;
    case "granted": {
      starts.upTo = reply.upTo;
      const isInVain = sumWanted(asked.demand.wanted) > 0 && countStartsLeft(run) === 0;
      starts.inVain = isInVain ? starts.inVain + 1 : 0;
      if (isInVain) starts.askAgainAt = asked.askedAt + ASK_AGAIN_MS;
    }
  }
}

/** The tenant got limits, or lost them. */
export function setLimited(step: Step, isLimited: boolean): void {
  const { run } = step;
  if (run.state.isLimited === isLimited) return;
  run.state.isLimited = isLimited;
  run.starts = createStartsKnown();
  step.isStateTouched = true;
}

/** When the tenant is to be asked again; Infinity when nothing is lacking. */
export function nextStartsAt(run: Run): number {
  const { state, starts } = run;
  if (!state.isLimited || isFinalWorkflow(state.status)) return Infinity;
  if (starts.asked !== null) return lostAt(starts.asked);
  return isNews(run, describeDemand(run)) ? starts.askAgainAt : Infinity;
}

function isNews({ starts }: Run, demand: StartDemand): boolean {
  const { asked, told } = starts;
  if (asked !== null) return !isSame(asked.demand, demand);
  const unused = Math.max(0, starts.upTo - demand.started);
  return told === null || sumWanted(demand.wanted) !== unused || demand.ended !== told.ended;
}

function isSame(left: StartDemand, right: StartDemand): boolean {
  return left.started === right.started && left.ended === right.ended && left.wanted.every((count, rank) => count === right.wanted[rank]);
}
