import { z } from "zod";

/** Names a tier of models, weakest first. */
export const TierName = z.enum(["weak", "base", "strong"]);
export type TierName = z.infer<typeof TierName>;

/** The task types of the contract with their complexity points (1–4). */
export const TASK_TYPE_POINTS = {
  log_summary: 1,
  file_scan: 1,
  syntax_check: 1,
  formatting: 1,
  simple_query: 1,
  data_extraction: 2,
  documentation: 2,
  code_review: 2,
  test_generation: 2,
  general: 2,
  code_implementation: 3,
  refactoring: 3,
  debugging: 3,
  planning: 3,
  integration: 3,
  architecture_design: 4,
  security_review: 4,
  critical_bug_fix: 4,
  production_critical: 4,
} as const;

export const TaskType = z.enum(Object.keys(TASK_TYPE_POINTS) as [keyof typeof TASK_TYPE_POINTS, ...(keyof typeof TASK_TYPE_POINTS)[]]);
export type TaskType = z.infer<typeof TaskType>;

/** Headers of an agent's call, and the characters of each: servers refuse requests with more. */
export const MAX_HEADERS = 100;
export const MAX_HEADER_NAME_CHARS = 256;
export const MAX_HEADER_CHARS = 8_192;
/** What is searched by, and copied into every workflow that uses the agent. */
export const MAX_DESCRIPTION_CHARS = 2_000;
export const MAX_CAPABILITIES = 50;
/** About 25,000 tokens before the prompt itself. */
export const MAX_SYSTEM_CHARS = 100_000;
/** What servers take at least in a request line, less room for the rest of it. */
export const MAX_URL_CHARS = 2_048;

const description = z.string().max(MAX_DESCRIPTION_CHARS).default("");
const capabilities = z.array(z.string().min(1).max(64)).max(MAX_CAPABILITIES).default([]);

const LlmAgent = z.strictObject({
  kind: z.literal("llm"),
  description,
  capabilities,
  system: z.string().max(MAX_SYSTEM_CHARS).default(""),
  taskType: TaskType.nullable().default(null),
  tier: TierName.nullable().default(null),
  model: z.string().min(1).max(200).nullable().default(null),
  maxOutputTokens: z.int().min(1).max(1_000_000).default(1_024),
  temperature: z.number().min(0).max(2).nullable().default(null),
});

const HttpAgent = z.strictObject({
  kind: z.literal("http"),
  description,
  capabilities,
  url: z.string().min(1).max(MAX_URL_CHARS),
  headers: z.record(z.string().max(MAX_HEADER_NAME_CHARS), z.string().max(MAX_HEADER_CHARS)).default({}),
  mode: z.enum(["sync", "callback"]).default("sync"),
  secretName: z.string().max(128).nullable().default(null),
});

const TransformAgent = z.strictObject({
  kind: z.literal("transform"),
  description,
  capabilities,
  expression: z.string().min(1),
});

/** An agent as a tenant registers it (`PUT /v1/agents/{name}`) and as a workflow copies it. Shape only: URLs, headers and expressions are checked at registration. */
export const AgentDefinition = z.discriminatedUnion("kind", [LlmAgent, HttpAgent, TransformAgent]);
export type AgentDefinition = z.infer<typeof AgentDefinition>;
export type LlmAgent = z.infer<typeof LlmAgent>;
export type HttpAgent = z.infer<typeof HttpAgent>;
export type TransformAgent = z.infer<typeof TransformAgent>;

/** What an agent, and so a template directory, may be called. */
export const AgentName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "use 1–64 letters, digits, - or _, starting with a letter or digit");
