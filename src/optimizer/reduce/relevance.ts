import { inverseFrequency, scoreEachSection, scoreEachUnit, type TermStatistics, type WeightedQuery } from "./bm25.ts";
import type { Unit } from "./document.ts";
import { countTemplates } from "./log-lines.ts";
import { CAPITALISED, NUMERIC, type TermIndex } from "./terms.ts";
import type { RelevanceWeights } from "./weights.ts";

const SEVERE = /error|fail|fatal|panic|exception|warn|abort|denied|refused|timed? ?out|crash|critical/i;
/** Errors are looked for in the head of a line. */
const SEVERITY_CHARS = 600;

/** Relevance of every unit to the query: its own words, its section's, what stands around it, and what its kind makes important. */
export function scoreUnits(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, weights: RelevanceWeights): Float64Array {
  const own = scoreEachUnit(units, index, statistics, query, weights);
  const { sectionStarts } = statistics;
  const sections = weights.section > 0 ? scoreEachSection(units, index, statistics, query, weights) : new Float64Array(sectionStarts.length);
  const scores = new Float64Array(units.length);
  for (let order = 0; order + 1 < sectionStarts.length; order += 1) {
    const [from, to] = [sectionStarts[order] as number, sectionStarts[order + 1] as number];
    const section = (sections[order] as number) + weights.title * titleScore(units, index, statistics, query, from);
    for (let unit = from; unit < to; unit += 1) {
      const before = unit > from ? (own[unit - 1] as number) : 0;
      const after = unit + 1 < to ? (own[unit + 1] as number) : 0;
      const ownScore = own[unit] as number;
      scores[unit] = ownScore + weights.neighbour * Math.max(before, after) + weights.section * section * (1 + weights.lead / (1 + unit - from));
      if (weights.answer > 0 && holdsAnswer(index, unit, query)) scores[unit] = (scores[unit] as number) + weights.answer * (section + ownScore);
    }
  }
  if (weights.definition > 0 && query.wants !== "any") addDefinitions(units, own, weights.definition * (query.wants === "number" ? 1 : 0.5), query.wants === "number" ? DEFINES_NUMBER : DEFINES_TEXT, scores);
  if (weights.topic > 0) addTopic(units, own, weights, scores);
  if (weights.rarity > 0) addRarity(units, weights, scores);
  if (weights.user > 0) addTurns(units, weights, scores);
  if (weights.sample > 0) addSample(units, weights.sample, scores);
  return scores;
}

/** How fully the words of the label are asked for that a section begins with, or that stands above it. */
function titleScore(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, first: number): number {
  const label = (units[first] as Unit).role === "label" ? first : (units[first] as Unit).needs;
  if (label === -1) return 0;
  const sectionCount = statistics.sectionStarts.length - 1;
  let asked = 0;
  let all = 0;
  for (let at = index.offsets[label] as number; at < (index.offsets[label + 1] as number); at += 1) {
    const term = index.ids[at] as number;
    const frequency = statistics.sectionFrequency[term] as number;
    // Words that most labels have ("Document", "Title") tell nothing.
    if (index.isStop[term] === 1 || frequency > sectionCount * 0.5) continue;
    const weight = inverseFrequency(sectionCount, frequency);
    all += weight;
    asked += weight * Math.min(1, query.weights[term] as number);
  }
  return all === 0 ? 0 : (asked * asked) / all;
}

/** Whether a unit holds a thing of the kind that is asked for, which is not a word of the question. */
function holdsAnswer(index: TermIndex, unit: number, query: WeightedQuery): boolean {
  if (query.wants === "any") return false;
  const flag = query.wants === "name" ? CAPITALISED : NUMERIC;
  const from = index.offsets[unit] as number;
  // The first word of a sentence has its capital anyway.
  for (let at = flag === CAPITALISED ? from + 1 : from; at < (index.offsets[unit + 1] as number); at += 1) {
    if (((index.flags[at] as number) & flag) !== 0 && query.weights[index.ids[at] as number] === 0) return true;
  }
  return false;
}

/** A name that is given a number ("const LIMIT = 40", "timeout: int = 30"), at the outermost level of a short declaration. */
const DEFINES_NUMBER = /^[^\n(]{0,120}[\w\]]\s{0,2}(?::\s{0,2}[\w<>[\]| ]{1,40})?=\s{0,2}[[(]?-?\.?\d|^\s{0,8}#define\s+\w+\s+[(-]?\d/m;
const DEFINES_TEXT = /^[^\n(]{0,120}[\w\]]\s{0,2}(?::\s{0,2}[\w<>[\]| ]{1,40})?=\s{0,2}[[(]?["'`]/m;
const MAX_DEFINITION_CHARS = 800;

/** Raises the short units that define a value. */
function addDefinitions(units: readonly Unit[], own: Float64Array, weight: number, defines: RegExp, scores: Float64Array): void {
  units.forEach((unit, at) => {
    if (own[at] === 0 || unit.text.length > MAX_DEFINITION_CHARS || !defines.test(unit.text)) return;
    scores[at] = (scores[at] as number) + weight * (own[at] as number);
  });
}

/** Spreads the units' own scores over what stands around them, both ways, fading with distance. */
function addTopic(units: readonly Unit[], own: Float64Array, weights: RelevanceWeights, scores: Float64Array): void {
  for (const isForward of [true, false]) {
    let level = 0;
    for (let step = 0; step < own.length; step += 1) {
      const unit = isForward ? step : own.length - 1 - step;
      scores[unit] = (scores[unit] as number) + weights.topic * level * fade(units, unit, weights);
      level = level * fade(units, unit, weights) + (own[unit] as number);
    }
  }
}

function fade(units: readonly Unit[], unit: number, weights: RelevanceWeights): number {
  return Math.exp(-(units[unit] as Unit).chars / weights.topicChars);
}

/** Raises lines whose template is rare, and lines that speak of an error. */
function addRarity(units: readonly Unit[], weights: RelevanceWeights, scores: Float64Array): void {
  const { template, count } = countTemplates(units);
  units.forEach((unit, at) => {
    const rarity = Math.log(units.length / (count.get(template[at] as number) ?? 1));
    const severity = SEVERE.test(unit.text.slice(0, SEVERITY_CHARS)) ? weights.severity : 0;
    scores[at] = (scores[at] as number) + weights.rarity * rarity + severity;
  });
}

/** Raises the user's turns and the end of the run, in shares of the best score. */
function addTurns(units: readonly Unit[], weights: RelevanceWeights, scores: Float64Array): void {
  const best = scores.reduce((a, b) => Math.max(a, b), 1e-6);
  const isUser = new Uint8Array(units.length);
  units.forEach((unit, at) => {
    isUser[at] = opensUserTurn(unit) || (unit.needs !== -1 && isUser[unit.needs] === 1) ? 1 : 0;
    scores[at] = (scores[at] as number) + best * (weights.recency * (at / units.length) ** 2 + (isUser[at] === 1 ? weights.user : 0));
  });
}

/** Whether a unit is the label of a user's turn, or the JSON of one. */
function opensUserTurn({ role, text }: Unit): boolean {
  if (text.charCodeAt(0) === 123) return USER_MEMBER.test(text.slice(0, USER_CHARS));
  return role === "label" && USER.test(text.slice(0, USER_CHARS));
}

const USER = /^(?:\S{1,32} )?\W{0,4}(?:im_start\W{1,2})?(?:user|human)\b/i;
const USER_MEMBER = /"(?:role|from)":"(?:user|human)"/i;
const USER_CHARS = 80;

/** Raises members of JSON containers: shallow ones first, and of long arrays the first, then those at large powers of two, and so on evenly. */
function addSample(units: readonly Unit[], weight: number, scores: Float64Array): void {
  const members = new Map<number, number>();
  const depth = new Uint16Array(units.length);
  units.forEach((unit, at) => {
    if (unit.needs !== -1) depth[at] = (depth[unit.needs] as number) + 1;
    const isInText = unit.needs !== -1 && (units[unit.needs] as Unit).close === '"';
    if (unit.role !== "record" && unit.until === -1 && !isInText) return;
    const order = members.get(unit.needs) ?? 0;
    members.set(unit.needs, order + 1);
    const evenness = order === 0 ? 1 : Math.log2(order & -order) / 32;
    scores[at] = (scores[at] as number) + weight * evenness + weight / (1 + (depth[at] as number));
  });
}
