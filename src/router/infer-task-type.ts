import type { Intent } from "../optimizer/intents/intent.ts";
import type { TaskType } from "../workflow/spec/agent.ts";

/** What is read of a prompt at each end: instructions stand first or last, what is between is mostly material. */
const HEAD_CHARACTERS = 1_500;
const TAIL_CHARACTERS = 500;

/** What a prompt says: one of the words that it begins with (`|` between them), then the rest. Both are parts of a regular expression. */
type Saying = readonly [starts: string, rest: string, before?: string];

/**
 * What prompts of a type say, the narrower types before the wider ones: the first match counts. The four dearest types need
 * both a verb and their object, because they go to the dearest models.
 */
const SAYINGS: readonly (readonly [TaskType, ...Saying[]])[] = [
  ["security_review", ["security", " (review|audit|assessment|analysis)\\b"], ["threat", " model"], ["penetration", " test"],
    ["review|audit|assess|check|evaluate|analy[sz]e", "\\b.{0,60}\\b(security of|for security)\\b"],
    ["find|check|look|audit|review|scan", "\\b.{0,60}\\b(vulnerabilit|security (hole|flaw|issue|weakness|bug)|sql injection|xss\\b|csrf\\b)"]],
  ["production_critical", ["production|prod", "\\b.{0,40}\\b(outage|incident|down\\b|rollback|hotfix|migration)"], ["outage|hotfix|incident", "\\b.{0,40}\\b(production|prod)\\b"]],
  ["critical_bug_fix", ["critical|urgent|severe|blocking|data[- ]loss|p0|sev-?1", "\\b.{0,30}\\b(bug|defect|regression|fault|crash)"], ["fix", "\\b.{0,40}\\b(data loss|data corruption|race condition|deadlock)"]],
  ["architecture_design", ["design|propose|define|sketch|plan|rework", "\\b.{0,50}\\b(architecture|system design)\\b"], ["architect(ure)?", " (a|an|the|for|of)\\b"],
    ["design", " (a|an|the) (\\w+[ -]){0,3}(system|platform|service|schema|protocol|api)\\b"]],
  ["syntax_check", ["syntax|lint|typo", "[- ]?(check|error|errors)?\\b.{0,30}\\b(check|errors?|valid|find)"], ["check|validate|lint", "\\b.{0,30}\\b(syntax|well-formed|parses?\\b|valid (json|yaml|xml|sql))"]],
  ["log_summary", ["summari[sz]e|digest|condense|go through|skim", "\\b.{0,50}\\blogs?\\b"], ["logs?", " summary\\b"]],
  ["test_generation", ["write|generate|create|add|produce", "\\b.{0,40}\\b(unit |integration |end-to-end |e2e )?(tests?|test cases?|specs)\\b"]],
  ["code_review", ["review|critique|assess|comment on", "\\b.{0,40}\\b(code|diff|patch|pull request|pr\\b|merge request|commit|change)"], ["code", " review\\b"]],
  ["debugging", ["debug|troubleshoot|diagnose", "\\b"], ["why|find out why", "\\b.{0,60}\\b(fail|crash|throw|hang|error|broken|wrong)"],
    ["fix|solve|resolve", "\\b.{0,40}\\b(bug|error|exception|crash|failure|failing|issue)"], ["stack", " ?trace\\b"], ["traceback", "\\b"]],
  ["refactoring", ["refactor", ""], ["restructure|clean up|simplify|deduplicate|rename", "\\b.{0,40}\\b(code|function|class|module|method|component)"]],
  ["documentation", ["write|generate|update|create|draft|improve", "\\b.{0,40}\\b(documentation|docs?\\b|readme|changelog|release notes|docstrings?|manual|user guide|tutorial)"], ["document", " (the|this|these|all|each)\\b"]],
  ["integration", ["integrate|integration|connect|wire up|hook up", "\\b.{0,50}\\b(with|to|into|api|service|webhook)"]],
  ["planning", ["make|write|create|draft|prepare|develop|outline", "\\b.{0,40}\\b(plan|roadmap|schedule|milestones?|work breakdown)\\b"],
    ["plan|break down|decompose|prioriti[sz]e", "\\b.{0,30}\\b(the|this|a|an|these|into|steps|tasks|work|project)\\b"]],
  ["code_implementation", ["implement|code up|program", "\\b"], ["write|create|build|generate|add", "\\b.{0,50}\\b(function|class|method|script|program|component|endpoint|module|query|regex|code|app|application|cli|parser)\\b"]],
  ["file_scan", ["scan|list|look through|go through|read|search|inventory|enumerate", "\\b.{0,40}\\b(files?|director(y|ies)|folders?|repo(sitory)?|codebase|sources?)\\b"]],
  ["data_extraction", ["extract|parse|pull out|collect|scrape|identify|find all|list all", "\\b.{0,60}\\b(from|in|of|fields?|values?|names?|dates?|emails?|numbers?|entities|data|records?|table)\\b"]],
  ["formatting", ["format|reformat", "\\b"], ["convert|turn|transform|rewrite", "\\b.{0,50}\\b(in)?to (json|yaml|csv|xml|markdown|html|a table|bullet|upper|lower|title case)"], ["pretty", "[- ]?print\\b"]],
  ["simple_query", ["what|who|when|where|which|how many|how much|how old|how long|how far|is|are|does|do|did|can|translate|define|spell|convert", "\\b[^\\n]{0,160}[?.!]?\\s*$", "^\\s*"]],
];

/** The sayings as expressions. */
export const PATTERNS: readonly (readonly [TaskType, RegExp])[] = SAYINGS.map(([taskType, ...sayings]) => [taskType, new RegExp(sayings.map(([starts, rest, before = ""]) => `${before}\\b(?:${starts})${rest}`).join("|"))]);

/** Letters of a word that tell which patterns it may begin. */
const KEY_LETTERS = 3;

/**
 * By the first letters of a word: the patterns (bit by place) that may begin with it. A dozen expressions for every prompt would
 * cost more than the rest of its routing, and few of its words begin any.
 */
const PATTERNS_BY_KEY = new Map<number, number>();
for (const [place, [, ...sayings]] of SAYINGS.entries()) {
  for (const start of sayings.flatMap(([starts]) => starts.split("|"))) {
    const key = keyOf(start, 0);
    PATTERNS_BY_KEY.set(key, (PATTERNS_BY_KEY.get(key) ?? 0) | (1 << place));
  }
}

/** What an intent says where the prompt's words say nothing. */
const TYPE_OF_INTENT: Partial<Record<Intent, TaskType>> = {
  extract: "data_extraction",
  filter: "data_extraction",
  aggregate: "data_extraction",
  enrich: "data_extraction",
  validate: "syntax_check",
  transform: "formatting",
  send: "simple_query",
  conditional: "simple_query",
};

/** The type of a task from the words of its prompt, then from its intent; null when neither says anything. */
export function inferTaskType(prompt: string | null, intent: Intent | null = null): TaskType | null {
  const words = prompt === null ? "" : excerpt(prompt).toLowerCase();
  const begun = words === "" ? 0 : findBegun(words);
  const match = begun === 0 ? undefined : PATTERNS.find(([, pattern], place) => (begun & (1 << place)) !== 0 && pattern.test(words));
  return match?.[0] ?? (intent === null ? undefined : TYPE_OF_INTENT[intent]) ?? null;
}

function excerpt(prompt: string): string {
  if (prompt.length <= HEAD_CHARACTERS + TAIL_CHARACTERS) return prompt;
  return `${prompt.slice(0, HEAD_CHARACTERS)}\n${prompt.slice(-TAIL_CHARACTERS)}`;
}

/** The patterns (bit by place) that words of the text may begin. */
function findBegun(text: string): number {
  let begun = 0;
  let isInWord = false;
  for (let at = 0; at < text.length; at += 1) {
    const isWord = isWordCode(text.charCodeAt(at));
    if (isWord && !isInWord) begun |= PATTERNS_BY_KEY.get(keyOf(text, at)) ?? 0;
    isInWord = isWord;
  }
  return begun;
}

/** The first letters of the word at this place as a number; shorter words are filled up with 0. */
function keyOf(text: string, start: number): number {
  let key = 0;
  let isInWord = true;
  for (let at = start; at < start + KEY_LETTERS; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 0;
    isInWord &&= isWordCode(code);
    key = key * 128 + (isInWord ? code : 0);
  }
  return key;
}

/** What counts as part of a word in a regular expression, in lower case. */
function isWordCode(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95;
}
