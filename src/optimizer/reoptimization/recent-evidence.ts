import { PARTS_PER_WINDOW, type EvidenceRow } from "./evidence.ts";
import { averageByType, judgeModel, sumEvidence, type JudgeSettings } from "./judge-models.ts";
import { SURE_ERRORS } from "./reorder-tier.ts";

export interface RecentSettings extends JudgeSettings {
  reoptimizeMinSamples: number;
}

/**
 * What the models of one tier are judged by: all that was seen in the window, but of a model that has changed since, only what was seen
 * after. Otherwise one that broke down would be kept for its former merits, and one that recovered would pay for its past, until
 * the window had forgotten.
 */
export function dropOutdated(rows: readonly EvidenceRow[], settings: RecentSettings): EvidenceRow[] {
  const average = averageByType(rows);
  return [...Map.groupBy(rows, ({ model }) => model)].flatMap(([model, list]) => {
    // The shortest part that says enough: what happened last counts.
    for (let parts = 1; parts < PARTS_PER_WINDOW; parts += 1) {
      const fresh = list.filter(({ part }) => part < parts);
      const old = list.filter(({ part }) => part >= parts);
      if (old.length === 0) break;
      if (sumEvidence(fresh).calls < settings.reoptimizeMinSamples) continue;
      const [now, then] = [judgeModel(model, fresh, average, settings), judgeModel(model, old, average, settings)];
      if (Math.abs(now.penalty - then.penalty) > SURE_ERRORS * Math.hypot(now.error, then.error)) return fresh;
    }
    return list;
  });
}
