import type { Action, ActionGroup } from "./action.ts";
import { NOUNS, PHRASAL, VERBS } from "./action-lists.ts";
import { type ActionForm, inflect } from "./inflection.ts";
import type { Intent } from "./intent.ts";

const FORM_ORDER: readonly ActionForm[] = ["base", "noun", "ing", "past", "third"];

/** Formed like deeds and doers of verbs in the lists, but names of things. */
const NOT_DEEDS = new Set("setting listing recording rating posting building drawing painting connector drawer filler poster reporter banner flipper summer minor voucher organization organisation population ration relation association integration computer browser author developer communication discrimination tracking packing advertising breaking".split(" "));

function listActions(): Map<string, Action> {
  const actions = new Map<string, Action>();
  const put = (word: string, form: ActionForm, group: ActionGroup) => {
    if (NOT_DEEDS.has(word)) return;
    const known = actions.get(word);
    if (known !== undefined && FORM_ORDER.indexOf(known.form) <= FORM_ORDER.indexOf(form)) return;
    actions.set(word, { evidence: group.evidence, form, role: group.role, thing: group.thing === true, nounLike: group.nounLike === true });
  };
  for (const group of NOUNS) for (const word of group.words.split(" ")) put(word, "noun", group);
  for (const group of VERBS) for (const verb of group.words.split(" ")) for (const [word, form] of inflect(verb)) put(word, form, group);
  return actions;
}

/** Phrases with their first word in all its forms ("filter out", "filtered out"). */
function listPhrases(): Map<string, Action> {
  const phrases = new Map<string, Action>();
  for (const group of PHRASAL) {
    for (const phrase of group.words.split(",")) {
      const [first, ...rest] = phrase.split("_");
      for (const [word, form] of inflect(first!)) {
        const words = [word, ...rest].join(" ");
        if (form === "base" || !phrases.has(words)) phrases.set(words, { evidence: group.evidence, form, role: group.role, thing: false, nounLike: false });
      }
    }
  }
  return phrases;
}

const ACTIONS = listActions();
const PHRASES = listPhrases();
const PHRASE_OPENERS = new Set([...PHRASES.keys()].map((phrase) => phrase.split(" ", 1)[0]!));

/** The action that the word at `index` names, alone or with the words after it. */
export function findAction(words: readonly string[], index: number): Action | undefined {
  const word = words[index]!;
  const next = words[index + 1];
  if (next !== undefined && PHRASE_OPENERS.has(word)) {
    const phrase = PHRASES.get(`${word} ${next}`) ?? PHRASES.get(`${word} ${next} ${words[index + 2] ?? ""}`);
    if (phrase !== undefined) return phrase;
    const parted = findPartedPhrase(words, index);
    if (parted !== undefined) return parted;
  }
  return ACTIONS.get(word) ?? (word.startsWith("re") ? findRepeated(word) : undefined);
}

/** "Recombine" does what "combine" does, once more; of other forms and short words that is not known. */
function findRepeated(word: string): Action | undefined {
  const action = word.length >= MIN_REPEATED_LENGTH ? ACTIONS.get(word.slice(2)) : undefined;
  return action === undefined || action.thing || action.form === "noun" ? undefined : action;
}

const MIN_REPEATED_LENGTH = 6;

/** How many words an object between a verb and its particle has at most ("boil the incident timeline down"). */
const MAX_PARTING_WORDS = 6;
const PARTICLES = new Set(["out", "up", "down", "off", "over", "away", "together", "into", "back"]);
const BEHIND_PARTICLE = new Set(["to", "for", "from", "of", "and", "by", "with", "in", "before", "after", "if", "into", "on", "per", "as"]);

function findPartedPhrase(words: readonly string[], index: number): Action | undefined {
  const end = Math.min(words.length, index + 2 + MAX_PARTING_WORDS);
  for (let at = index + 2; at < end; at += 1) {
    const particle = words[at]!;
    if (particle === "and" || particle === "then") return undefined;
    if (!PARTICLES.has(particle)) continue;
    const next = words[at + 1];
    const ends = particle === "into" ? next !== undefined : next === undefined || BEHIND_PARTICLE.has(next);
    return ends ? PHRASES.get(`${words[index]!} ${particle}`) : undefined;
  }
  return undefined;
}

/** Shorter words are too like each other to guess at. */
const MIN_MISSPELLED_LENGTH = 6;
const MAX_MISSPELLED_LENGTH = 16;

/** Consonants alone need more of them: "discord" is no "discard". */
const MIN_CONSONANTS_LENGTH = 8;

/** Base verbs by their letters in order of the alphabet, and by their consonants: "covnert", "seperate", "sumarize" find theirs (consonants alone need words of `MIN_CONSONANTS_LENGTH`). */
const BY_LETTERS = new Map<string, Action>();
const BY_CONSONANTS = new Map<string, Action>();
for (const [word, action] of ACTIONS) {
  if (action.form !== "base" || word.length < MIN_MISSPELLED_LENGTH) continue;
  BY_LETTERS.set(sortLetters(word), action);
  if (word.length >= MIN_CONSONANTS_LENGTH) BY_CONSONANTS.set(keepConsonants(word), action);
}

/** Base verbs by what is left of them where one letter is missing ("aggregte"). */
const BY_MISSING = new Map<string, Action>();
for (const [word, action] of ACTIONS) {
  if (action.form !== "base" || word.length < MIN_CONSONANTS_LENGTH - 1) continue;
  for (const left of leaveOutLetters(word)) BY_MISSING.set(left, action);
}

/** The word without one of its letters, the first one apart, in all ways. */
function leaveOutLetters(word: string): string[] {
  return Array.from({ length: word.length - 1 }, (_, at) => word.slice(0, at + 1) + word.slice(at + 2));
}

function sortLetters(word: string): string {
  return word.charAt(0) + [...word.slice(1)].sort().join("");
}

/** The first letter and the consonants behind it, doubled ones once. */
function keepConsonants(word: string): string {
  let kept = word.charAt(0);
  for (const letter of word.slice(1)) if (!"aeiouy".includes(letter) && letter !== kept.at(-1)) kept += letter;
  return kept;
}

/** The action meant by an unknown first word with swapped, doubled or wrong letters. */
export function findMisspelledAction(word: string): Action | undefined {
  if (word.length < MIN_MISSPELLED_LENGTH || word.length > MAX_MISSPELLED_LENGTH) return undefined;
  // "Unsent" is no slip of "unnest".
  if (/^(?:un|re|non|pre)/.test(word) && ACTIONS.has(word.replace(/^(?:un|re|non|pre)/, ""))) return undefined;
  const swapped = BY_LETTERS.get(sortLetters(word)) ?? (word.length < MIN_CONSONANTS_LENGTH ? undefined : BY_CONSONANTS.get(keepConsonants(word))) ?? BY_MISSING.get(word);
  if (swapped !== undefined || word.length < MIN_CONSONANTS_LENGTH) return swapped;
  const longer = leaveOutLetters(word).find((left) => ACTIONS.get(left)?.form === "base");
  return longer === undefined ? undefined : ACTIONS.get(longer);
}

/** Whether a word says little of what is done: none, or no points of the larger two sizes. */
export function isWeak(action: Action | undefined): boolean {
  for (const intent in action?.evidence) if (action!.evidence[intent as Intent]! > WEAK_POINTS) return false;
  return true;
}

const WEAK_POINTS = 1.6;

export function isActionWord(word: string): boolean {
  return ACTIONS.has(word);
}
