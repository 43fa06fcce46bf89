import type { Judgement } from "./judge-models.ts";

export interface ReorderSettings {
  reoptimizeMinSamples: number;
  reoptimizeMinImprovement: number;
  reoptimizeMaxMoves: number;
}

/** How many standard errors apart two figures must lie to count as different: chance alone does that once in some forty comparisons. */
export const SIGNIFICANT_ERRORS = 2;
/**
 * And to change an order, which is looked at every quarter of an hour for months: chance gets many tries, and at two it would succeed
 * every day. At four it does once in some ten thousand; what is a tenth better is seen all the same once there are a few hundred calls.
 */
export const SURE_ERRORS = 4;

/**
 * The tier's order with better models moved forward. A model passes the one before it only if it is better by the share that is
 * asked for, and by more than chance; none moves further than the limit; those that were seen too little keep their places.
 */
export function reorderTier(order: readonly string[], judgements: ReadonlyMap<string, Judgement>, settings: ReorderSettings): string[] {
  const reordered = [...order];
  const home = new Map(order.map((model, place) => [model, place]));
  const mayStandAt = (place: number, model: string): boolean => Math.abs(place - home.get(model)!) <= settings.reoptimizeMaxMoves;
  const isJudged = (model: string): boolean => (judgements.get(model)?.calls ?? 0) >= settings.reoptimizeMinSamples;
  const places = [...order.keys()].filter((place) => isJudged(order[place]!));
  // Every swap puts right one pair that stood wrong, so this ends.
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    for (let at = 1; at < places.length; at += 1) {
      const [front, back] = [places[at - 1]!, places[at]!];
      const [ahead, behind] = [reordered[front]!, reordered[back]!];
      if (!isClearlyBetter(judgements.get(behind)!, judgements.get(ahead)!, settings) || !mayStandAt(front, behind) || !mayStandAt(back, ahead)) continue;
      [reordered[front], reordered[back]] = [behind, ahead];
      isSettled = false;
    }
  }
  return reordered;
}

function isClearlyBetter(model: Judgement, other: Judgement, { reoptimizeMinImprovement }: ReorderSettings): boolean {
  const difference = other.penalty - model.penalty;
  return model.penalty < other.penalty * (1 - reoptimizeMinImprovement) && difference > SURE_ERRORS * Math.hypot(model.error, other.error);
}
