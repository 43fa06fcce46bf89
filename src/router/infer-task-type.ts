import type { Intent } from "../optimizer/intents/intent.ts";
import type { TaskType } from "../workflow/agent.ts";

/** What is read of a prompt at each end: instructions stand first or last, what is between is mostly material. */
const HEAD_CHARACTERS = 1_500;
const TAIL_CHARACTERS = 500;

/**
 * What prompts of a type say, the narrower types before the wider ones: the first match counts. The four dearest types need
 * both a verb and their object, because they go to the dearest models.
 */
const PATTERNS: readonly (readonly [TaskType, RegExp])[] = [
  ["security_review", /\bsecurity (review|audit|assessment|analysis)\b|\bthreat model|\bpenetration test|\b(find|check|look|audit|review|scan)\b.{0,60}\b(vulnerabilit|security (hole|flaw|issue|weakness|bug)|sql injection|xss\b|csrf\b)/],
  ["production_critical", /\b(production|prod)\b.{0,40}\b(outage|incident|down\b|rollback|hotfix|migration)|\b(outage|hotfix|incident)\b.{0,40}\b(production|prod)\b/],
  ["critical_bug_fix", /\b(critical|urgent|severe|blocking|data[- ]loss|p0|sev-?1)\b.{0,30}\b(bug|defect|regression|fault|crash)|\bfix\b.{0,40}\b(data loss|data corruption|race condition|deadlock)/],
  ["architecture_design", /\b(design|propose|define|sketch|plan|rework)\b.{0,50}\b(architecture|system design)\b|\barchitect(ure)? (a|an|the|for|of)\b|\bdesign (a|an|the) (\w+[ -]){0,3}(system|platform|service|schema|protocol|api)\b/],
  ["syntax_check", /\b(syntax|lint|typo)[- ]?(check|error|errors)?\b.{0,30}\b(check|errors?|valid|find)|\b(check|validate|lint)\b.{0,30}\b(syntax|well-formed|parses?\b|valid (json|yaml|xml|sql))/],
  ["log_summary", /\b(summari[sz]e|digest|condense|go through|skim)\b.{0,50}\blogs?\b|\blogs? summary\b/],
  ["test_generation", /\b(write|generate|create|add|produce)\b.{0,40}\b(unit |integration |end-to-end |e2e )?(tests?|test cases?|specs)\b/],
  ["code_review", /\b(review|critique|assess|comment on)\b.{0,40}\b(code|diff|patch|pull request|pr\b|merge request|commit|change)|\bcode review\b/],
  ["debugging", /\b(debug|troubleshoot|diagnose)\b|\b(why|find out why)\b.{0,60}\b(fail|crash|throw|hang|error|broken|wrong)|\b(fix|solve|resolve)\b.{0,40}\b(bug|error|exception|crash|failure|failing|issue)|\bstack ?trace\b|\btraceback\b/],
  ["refactoring", /\brefactor|\b(restructure|clean up|simplify|deduplicate|rename)\b.{0,40}\b(code|function|class|module|method|component)/],
  ["documentation", /\b(write|generate|update|create|draft|improve)\b.{0,40}\b(documentation|docs?\b|readme|changelog|release notes|docstrings?|manual|user guide|tutorial)|\bdocument (the|this|these|all|each)\b/],
  ["integration", /\b(integrate|integration|connect|wire up|hook up)\b.{0,50}\b(with|to|into|api|service|webhook)/],
  ["planning", /\b(make|write|create|draft|prepare|develop|outline)\b.{0,40}\b(plan|roadmap|schedule|milestones?|work breakdown)\b|\b(plan|break down|decompose|prioriti[sz]e)\b.{0,30}\b(the|this|a|an|these|into|steps|tasks|work|project)\b/],
  ["code_implementation", /\b(implement|code up|program)\b|\b(write|create|build|generate|add)\b.{0,50}\b(function|class|method|script|program|component|endpoint|module|query|regex|code|app|application|cli|parser)\b/],
  ["file_scan", /\b(scan|list|look through|go through|read|search|inventory|enumerate)\b.{0,40}\b(files?|director(y|ies)|folders?|repo(sitory)?|codebase|sources?)\b/],
  ["data_extraction", /\b(extract|parse|pull out|collect|scrape|identify|find all|list all)\b.{0,60}\b(from|in|of|fields?|values?|names?|dates?|emails?|numbers?|entities|data|records?|table)\b/],
  ["formatting", /\b(re)?format\b|\b(convert|turn|transform|rewrite)\b.{0,50}\b(in)?to (json|yaml|csv|xml|markdown|html|a table|bullet|upper|lower|title case)|\bpretty[- ]?print\b/],
  ["simple_query", /^\s*(what|who|when|where|which|how (many|much|old|long|far)|is|are|does|do|did|can|translate|define|spell|convert)\b[^\n]{0,160}[?.!]?\s*$/],
];

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
  const match = words === "" ? undefined : PATTERNS.find(([, pattern]) => pattern.test(words));
  return match?.[0] ?? (intent === null ? undefined : TYPE_OF_INTENT[intent]) ?? null;
}

function excerpt(prompt: string): string {
  if (prompt.length <= HEAD_CHARACTERS + TAIL_CHARACTERS) return prompt;
  return `${prompt.slice(0, HEAD_CHARACTERS)}\n${prompt.slice(-TAIL_CHARACTERS)}`;
}
