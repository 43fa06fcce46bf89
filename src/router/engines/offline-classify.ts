import { keyWordsOf } from "./offline-text.ts";

const MAX_LABELS = 50;

/** Words that speak for labels which rarely stand in the text themselves. */
const HINTS: ReadonlyMap<string, string> = new Map(Object.entries({
  positive: "good great love excellent happy perfect thanks amazing best helpful works recommend pleased fast",
  negative: "bad terrible hate awful angry broken worst disappointed slow refund useless poor problem fails",
  bug: "error crash broken fails failure exception regression wrong incorrect stack trace",
  feature: "add support request would like wish allow option enhancement could",
  question: "how what why when where can does help anyone",
  urgent: "urgent asap immediately outage down production critical now emergency",
  high: "urgent asap immediately outage down production critical emergency",
  low: "minor typo cosmetic later nice trivial small",
  spam: "free winner prize click offer money buy cheap",
  billing: "invoice charge charged payment refund card price subscription paid",
  technical: "error crash install api bug server code login connection",
  yes: "yes true correct agree confirmed",
  no: "no false incorrect disagree denied",
}));

/** Labels that are right when nothing speaks for another. */
const NEUTRAL = /^(neutral|other|unknown|general|none|mixed|unclear|normal|medium)$/i;

/** The labels an instruction offers: after `labels:`, `one of`, `into`, `as`, or in quotes; empty when it offers none. */
export function labelsOf(instruction: string): string[] {
  const list = /\b(?:labels?|categories|classes|one of|into|as either|as|among|between|from)\s*:?\s*[([{]?([^.:;\n)\]}]{3,1000})/i.exec(instruction)?.[1] ?? "";
  const parts = list.split(/\s*(?:,|\/|\||\bor\b|\band\b)\s*/).map((part) => part.replace(/^["'`\s]+|["'`?\s]+$/g, ""));
  const labels = [...new Set(parts.filter((part) => part !== "" && part.split(" ").length <= 4))];
  if (labels.length >= 2) return labels.slice(0, MAX_LABELS);
  const quoted = [...instruction.matchAll(/["'`]([\w -]{1,60})["'`]/g)].map((match) => match[1] ?? "");
  return quoted.length >= 2 ? [...new Set(quoted)].slice(0, MAX_LABELS) : [];
}

/** The label whose words and hints occur most in the text; ties and no evidence go to a neutral label, else to the first. */
export function classify(text: string, labels: string[]): string {
  const counts = new Map<string, number>();
  for (const word of keyWordsOf(text)) counts.set(stem(word), (counts.get(stem(word)) ?? 0) + 1);
  const scores = labels.map((label) => {
    const own = keyWordsOf(label).reduce((sum, word) => sum + 2 * (counts.get(stem(word)) ?? 0), 0);
    const hints = (HINTS.get(label.toLowerCase()) ?? "").split(" ").reduce((sum, word) => sum + (word === "" ? 0 : (counts.get(stem(word)) ?? 0)), 0);
    return own + hints;
  });
  const best = scores.reduce((most, score) => Math.max(most, score), 0);
  const winners = labels.filter((_, index) => scores[index] === best);
  const neutral = labels.find((label) => NEUTRAL.test(label));
  return best === 0 || winners.length > 1 ? (neutral ?? winners[0] ?? "") : (winners[0] ?? "");
}

/** Close enough for counting: plural and tense endings off. */
function stem(word: string): string {
  return word.length > 4 ? word.replace(/(?:ing|ed|es|s)$/, "") : word;
}
