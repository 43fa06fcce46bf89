/** What the embedded engine can do with text. */
export type OfflineIntent = "classify" | "summarize" | "extract" | "plan" | "build" | "review";

/** Verbs and roles that ask for each. The earliest match in a text decides: an order names its verb first. */
const PATTERNS: [OfflineIntent, RegExp][] = [
  ["classify", /\b(classif(?:y|ies)|categori[sz]e|which (?:of|category|label)|choose (?:one|from)|pick one|sentiment|triage)\b/i],
  ["summarize", /\b(summari[sz]e|summary|sum up|tl;?dr|shorten|condense|digest|abstract|explain|describe|what is)\b/i],
  ["extract", /\b(scout|researcher|analyst|extract|list|find|identify|enumerate|collect|scan|read|inventory|what matters|pull out)\b/i],
  ["plan", /\b(planner|architect|plan|group|cluster|outline|organi[sz]e|prioriti[sz]e|break down|decompose|roadmap)\b/i],
  ["build", /\b(builder|writer|engineer|specialist|write|build|generate|create|draft|compose|produce|assemble|document|implement|merge|combine)\b/i],
  ["review", /\b(reviewer|auditor|review|check|audit|critique|verify|validate|evaluate|assess)\b/i],
];

/** Instructions say what they want at their start; a verb far inside is more likely part of the material. */
const LOOK_AT_CHARACTERS = 400;

/** The intent that a text asks for, or null when it asks for none. */
export function findIntent(text: string): OfflineIntent | null {
  const head = text.slice(0, LOOK_AT_CHARACTERS);
  let found: OfflineIntent | null = null;
  let earliest = Infinity;
  for (const [intent, pattern] of PATTERNS) {
    const index = head.search(pattern);
    if (index >= 0 && index < earliest) [found, earliest] = [intent, index];
  }
  return found;
}

/** The task's own words decide; then the agent's role; text without any order is summarized. */
export function inferIntent(instruction: string, system: string, hasSources: boolean): OfflineIntent {
  return findIntent(instruction) ?? findIntent(system) ?? (hasSources ? "summarize" : "build");
}
