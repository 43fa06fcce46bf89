import { type ActionForm, inflect } from "./inflection.ts";
import type { Evidence } from "./intent.ts";

/** Verbs whose intent hangs on what they act on; the rules in `cues.ts` look at the words around them. */
export type ActionRole = "make" | "write" | "get" | "search" | "add" | "check" | "verify" | "remove" | "update" | "choose" | "answer" | "post" | "store" | "extract";

/** What one word says about the action of a step. 3 points are what a plain verb ("convert …") is worth. */
export interface Action {
  evidence: Evidence;
  form: ActionForm;
  role?: ActionRole;
  /** Far more often a thing than a deed in step names ("message", "report"): a deed only in front, and not before a doer's name. */
  thing: boolean;
  /** Also a noun or adjective ("filter", "split"): weak unless in front. */
  nounLike: boolean;
}

interface ActionGroup {
  evidence: Evidence;
  words: string;
  role?: ActionRole;
  thing?: true;
  nounLike?: true;
}

/** Verbs in their base form; `inflect` adds the others. Of two entries for one word form, a base form stands before others. */
const VERBS: readonly ActionGroup[] = [
  { evidence: { extract: 3 }, words: "extract isolate harvest", role: "extract" },
  { evidence: { extract: 2.9 }, words: "parse scrape crawl ocr unzip decompress", role: "extract" },
  { evidence: { extract: 2.3 }, words: "read identify recognize detect tokenize capture decipher discern mine", role: "extract" },
  { evidence: { extract: 1.6, enrich: 0.5 }, words: "grab scan", role: "get" },
  { evidence: { extract: 1.5, enrich: 0.5, validate: 0.4, summarize: 0.4 }, words: "analyze interpret inspect" },
  { evidence: { extract: 1.8, transform: 1.1 }, words: "transcribe" },

  { evidence: { summarize: 3.2 }, words: "summarize sumarize summerize recap condense abridge synthesize" },
  { evidence: { summarize: 2.4 }, words: "shorten distill brief digest", nounLike: true },

  { evidence: { generate: 3 }, words: "generate compose author craft brainstorm invent paraphrase ideate", role: "write" },
  { evidence: { generate: 3 }, words: "write draft", role: "write", nounLike: true },
  { evidence: { generate: 2.2 }, words: "create produce", role: "make" },
  { evidence: { generate: 1.8, transform: 0.5 }, words: "make build construct", role: "make" },
  { evidence: { generate: 2.4 }, words: "design sketch illustrate animate narrate imagine dream render sing suggest propose recommend explain describe advise predict forecast develop implement", role: "write" },
  { evidence: { generate: 1.8, transform: 1 }, words: "rewrite rephrase reword polish improve personalize humanize elaborate" },
  { evidence: { generate: 2.2 }, words: "answer", role: "answer", nounLike: true },
  { evidence: { generate: 1.6 }, words: "code", thing: true },
  { evidence: { generate: 1.2, send: 0.8 }, words: "ask" },
  { evidence: { send: 0.9, extract: 0.4 }, words: "return", nounLike: true },
  { evidence: { transform: 1.2 }, words: "output", thing: true },
  { evidence: { send: 1.4 }, words: "request", nounLike: true },
  { evidence: { generate: 1.8, summarize: 0.4 }, words: "outline", nounLike: true },
  { evidence: { generate: 1.4, transform: 0.9 }, words: "fix repair correct", nounLike: true },
  { evidence: { generate: 1.6 }, words: "plan solve debug chat prompt clone", nounLike: true },

  { evidence: { validate: 3 }, words: "validate authenticate assert" },
  { evidence: { validate: 2.9 }, words: "verify ensure", role: "verify" },
  { evidence: { validate: 2 }, words: "confirm lint audit proofread certify attest authorize sanity debounce test inspect reconcile moderate", nounLike: true },
  { evidence: { validate: 1.7, generate: 0.4 }, words: "review assess evaluate examine judge grade", nounLike: true },
  { evidence: { conditional: 1.7, validate: 0.9 }, words: "check", role: "check", nounLike: true },

  { evidence: { send: 3.2 }, words: "send notify dispatch deliver broadcast resend" },
  { evidence: { send: 2.6 }, words: "inform announce remind warn publish forward tweet transmit telegraph ping tell congratulate greet invite escalate submit relay acknowledge" },
  { evidence: { send: 2.4 }, words: "share push page", nounLike: true },
  { evidence: { send: 2.3 }, words: "post", role: "post", thing: true },
  { evidence: { send: 2.1, generate: 0.5 }, words: "reply respond", role: "answer", nounLike: true },
  { evidence: { send: 1.9 }, words: "message email mail alert sms dm report", thing: true },
  { evidence: { send: 1, transform: 0.3 }, words: "save store upload upsert persist archive record export sync log", role: "store", nounLike: true },

  { evidence: { transform: 3 }, words: "convert transform translate reformat normalize standardize serialize deserialize stringify encode decode escape unescape resize rename restructure reshape flatten transpose transcode simplify pluralize singularize capitalize lowercase uppercase titlecase slugify camelcase snakecase expand sanitize anonymize pseudonymize redact tokenise beautify prettify minify sanitise urlencode unflatten truncate unwrap" },
  { evidence: { transform: 2.6 }, words: "clean cleanup tidy trim explode chunk decompose separate seperate compress encrypt decrypt rotate crop pad round sort reorder rearrange reorganize organize structure transliterate localize replace substitute modify adapt adjust change refactor migrate turn move reverse unnest unpivot hash mask scale swap invert shift edit cast coerce rewrap" },
  { evidence: { transform: 2.6 }, words: "format map split process remap shape arrange parametrize template", nounLike: true },
  { evidence: { transform: 2, aggregate: 0.3 }, words: "calculate compute derive increment decrement prepare define initialize assign set declare prep", nounLike: true },
  { evidence: { transform: 1.6, send: 0.5 }, words: "update patch", role: "update", nounLike: true },

  { evidence: { conditional: 2.8 }, words: "route reroute redirect switch branch fork decide determine triage gate", nounLike: true },
  { evidence: { conditional: 2.1 }, words: "compare differentiate distinguish diff loop iterate repeat" },
  { evidence: { conditional: 1.5, enrich: 0.7, extract: 0.4 }, words: "classify categorize" },
  { evidence: { conditional: 1, filter: 0.9 }, words: "continue proceed stop abort halt wait", nounLike: true },

  { evidence: { aggregate: 3.2 }, words: "aggregate merge combine concatenate concat consolidate coalesce bundle conflate amalgamate" },
  { evidence: { aggregate: 2.8 }, words: "join append collect gather accumulate compile assemble group regroup zip union pool stitch sum total tally count average cluster collate collapse unite intersect cumulate interleave fuse batch stack glue pivot", nounLike: true },

  { evidence: { aggregate: 2, transform: 1.5 }, words: "wrap unify link", nounLike: true },

  { evidence: { filter: 3.2 }, words: "filter exclude deduplicate dedupe dedup prefilter" },
  { evidence: { filter: 2.8 }, words: "ignore skip discard drop retain omit whitelist blacklist blocklist allowlist prune winnow shortlist subset unsubscribe reject weed sieve screen cull" },
  { evidence: { filter: 2.8 }, words: "limit keep restrict narrow cap sample", nounLike: true },
  { evidence: { filter: 2.3 }, words: "select pick choose take", role: "choose" },
  { evidence: { filter: 2.2, transform: 0.6 }, words: "remove delete strip eliminate purge", role: "remove" },

  { evidence: { enrich: 3.2 }, words: "enrich augment lookup geocode geolocate supplement cross-reference hydrate" },
  { evidence: { enrich: 2.3, extract: 0.3 }, words: "search find google research locate investigate", role: "search", nounLike: true },
  { evidence: { enrich: 1.5, extract: 1 }, words: "get fetch retrieve retreive obtain load pull query acquire download list", role: "get" },
  { evidence: { enrich: 1.6, transform: 1.2 }, words: "add insert inject attach include annotate tag label associate match correlate resolve", role: "add", nounLike: true },
  { evidence: { enrich: 1, validate: 0.9, generate: 0.3 }, words: "score rate rank", nounLike: true },
];

/** Names of deeds and doers that `inflect` does not give. */
const NOUNS: readonly ActionGroup[] = [
  { evidence: { extract: 2.9 }, words: "extraction parsing scraping ocr recognition detection analysis identification entities transcription" },
  { evidence: { summarize: 3 }, words: "summary summarization summarisation summaries recap digest tldr synopsis overview gist takeaways roundup wrapup" },
  { evidence: { generate: 2.6 }, words: "generation writer writing copywriter creation composition generative creator drafting storyteller" },
  { evidence: { validate: 2.8 }, words: "validation verification validator verifier authentication checker linting check-up authorization" },
  { evidence: { send: 2.4 }, words: "notification notifications notifier delivery broadcast newsletter reminder alert alerts announcement" },
  { evidence: { transform: 2.7 }, words: "conversion transformation formatting formatter normalization mapping mapper serialization translation cleaning cleanup resizing splitter chunking chunker simplification encoding decoding compression calculation calculator standardization sorting" },
  { evidence: { conditional: 2.7 }, words: "router routing condition conditional branching decision comparison dispatcher loop redirection" },
  { evidence: { conditional: 1.5, enrich: 0.6, extract: 0.3 }, words: "classification classifier categorization" },
  { evidence: { aggregate: 2.8 }, words: "aggregation aggregator merger merging concatenation consolidation combination collection grouping union" },
  { evidence: { filter: 2.8 }, words: "filtering deduplication deduping exclusion selection limiter" },
  { evidence: { enrich: 2.7 }, words: "enrichment lookup lookups augmentation geolocation geocoding retrieval" },
  { evidence: { enrich: 1.9 }, words: "search" },
];

/** Two or three words that are one verb; they stand before what their first word says alone. */
const PHRASAL: readonly ActionGroup[] = [
  { evidence: { enrich: 3 }, words: "look_up,cross_reference,look_for" },
  { evidence: { summarize: 3 }, words: "sum_up,boil_down,tl_dr,wrap_up" },
  { evidence: { transform: 2.8 }, words: "split_out,split_up,clean_up,turn_into,break_up,break_down,break_into,un_nest,re_map,re_format,tidy_up,find_and_replace,set_up,change_to,de_duplicate_spaces,html_decode" },
  { evidence: { aggregate: 3 }, words: "list_of,array_of,wait_for_both,wait_for_all,pull_together,put_together,bring_together,wrap_together,group_by,roll_up,add_up,group_into,sum_of,stitch_together,club_together,back_together" },
  { evidence: { filter: 3 }, words: "get_rid_of,filter_out,de_dupe,de_duplicate,leave_out,weed_out,throw_away,throw_out,rule_out,sort_out,skip_over,narrow_down,sift_out,take_out" },
  { evidence: { conditional: 2.8 }, words: "find_out,see_if,figure_out,if_else" },
  { evidence: { send: 2.8 }, words: "reach_out,send_out,follow_up,let_know,hand_over,hand_off" },
  { evidence: { generate: 2.8 }, words: "write_up,come_up,make_up,text_to_speech,text_to_image,text_to_video,text_to_audio" },
  { evidence: { extract: 2.6 }, words: "read_from,pick_out,dig_out" },
  { evidence: { validate: 2.6 }, words: "double_check,make_sure,fact_check,sanity_check,spell_check,quality_check,health_check" },
];

const FORM_ORDER: readonly ActionForm[] = ["base", "noun", "ing", "past", "third"];

function listActions(): Map<string, Action> {
  const actions = new Map<string, Action>();
  const put = (word: string, form: ActionForm, group: ActionGroup) => {
    const known = actions.get(word);
    if (known !== undefined && FORM_ORDER.indexOf(known.form) <= FORM_ORDER.indexOf(form)) return;
    actions.set(word, { evidence: group.evidence, form, role: group.role, thing: group.thing === true, nounLike: group.nounLike === true });
  };
  for (const group of NOUNS) for (const word of group.words.split(" ")) put(word, "noun", group);
  for (const group of VERBS) for (const verb of group.words.split(" ")) for (const [word, form] of inflect(verb)) put(word, form, group);
  return actions;
}

const ACTIONS = listActions();
const PHRASES = new Map(PHRASAL.flatMap((group) => group.words.split(",").map((words): [string, Action] => [words.replaceAll("_", " "), { evidence: group.evidence, form: "base", role: group.role, thing: false, nounLike: false }])));
const PHRASE_OPENERS = new Set([...PHRASES.keys()].map((phrase) => phrase.split(" ", 1)[0]!));

/** Base verbs of six letters and more by first letter and sorted rest: swapped letters ("covnert") still find their verb. */
const SWAPPED = new Map([...ACTIONS].filter(([word, action]) => action.form === "base" && word.length >= 6).map(([word, action]) => [sortLetters(word), action]));

function sortLetters(word: string): string {
  return word.charAt(0) + [...word.slice(1)].sort().join("");
}

/** The action that the word at `index` names, alone or with the words after it. */
export function findAction(words: readonly string[], index: number): Action | undefined {
  const word = words[index]!;
  const next = words[index + 1];
  if (next !== undefined && PHRASE_OPENERS.has(word)) {
    const phrase = PHRASES.get(`${word} ${next}`) ?? PHRASES.get(`${word} ${next} ${words[index + 2] ?? ""}`);
    if (phrase !== undefined) return phrase;
  }
  return ACTIONS.get(word);
}

/** The action meant by an unknown first word with swapped letters. */
export function findMisspelledAction(word: string): Action | undefined {
  return word.length >= 6 && word.length <= 16 ? SWAPPED.get(sortLetters(word)) : undefined;
}

export function isActionWord(word: string): boolean {
  return ACTIONS.has(word);
}
