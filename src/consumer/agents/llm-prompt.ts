import type { LanguageModelV4Message, LanguageModelV4Prompt } from "@ai-sdk/provider";
import { z } from "zod";
import type { Failure, Json } from "../../errors.ts";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import type { LlmAgent } from "../../workflow/spec/agent.ts";
import type { ContextSize, WorkOrder } from "../work-order.ts";

const MessageText = z.union([z.string(), z.array(z.object({ type: z.literal("text"), text: z.string() }))]);
const InputMessages = z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: MessageText })).min(1);

/** What a task without own words is asked. */
const TASK_FROM_RESULTS = "Do your part with the results above.";
const TASK_FROM_NOTHING = "Do your part.";

/**
 * Where a prefix that tasks share ends. Anthropic caches what is marked, the others by themselves. The system text has a mark of its
 * own, because a reduced context is another for every prompt.
 */
const CACHE_MARK = { anthropic: { cacheControl: { type: "ephemeral" } } };

export interface BuiltPrompt {
  prompt: LanguageModelV4Prompt;
  /** Estimated tokens of everything that is sent. */
  inputTokens: number;
  context: ContextSize | null;
}

/**
 * The prompt of an attempt: the agent's system text, then the dependencies' outputs, then the task. What stays the same
 * between tasks stands first, because providers cache by prefix.
 */
export function buildPrompt(order: WorkOrder, agent: LlmAgent): BuiltPrompt | { failure: Failure } {
  const messages = messagesOf(order);
  if ("failure" in messages) return messages;
  const system = [agent.system, ...messages.system].filter((text) => text !== "").join("\n\n");
  const context = contextOf(order);
  const conversation = [...messages.conversation];
  if (order.llm?.outputSchema !== null && order.llm !== null) appendText(conversation, schemaOrder(order.llm.outputSchema));
  const shared: LanguageModelV4Message[] = context === null ? [] : [{ ...userMessage(context), providerOptions: CACHE_MARK }];
  const prompt: LanguageModelV4Prompt = [...(system === "" ? [] : [{ role: "system" as const, content: system, providerOptions: CACHE_MARK }]), ...shared, ...conversation];
  const contextTokens = context === null ? null : estimateTokens(context);
  const inputTokens = prompt.flatMap(textsOf).reduce((sum, text) => sum + estimateTokens(text), 0);
  return { prompt, inputTokens, context: contextTokens === null ? null : { originalTokens: contextTokens, reducedTokens: contextTokens } };
}

/** Every text of a message, in order. */
export function textsOf(message: LanguageModelV4Message): string[] {
  if (message.role === "system") return [message.content];
  return message.content.flatMap((part) => (part.type === "text" ? [part.text] : []));
}

function messagesOf(order: WorkOrder): { system: string[]; conversation: LanguageModelV4Message[] } | { failure: Failure } {
  const input = order.input;
  const given = isRecord(input) ? input["messages"] : undefined;
  if (given === undefined) return { system: [], conversation: [userMessage(taskText(order))] };
  const parsed = InputMessages.safeParse(given);
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.join(".") ?? "";
    const message = `input.messages must be a list of {role: system | user | assistant, content: text}${place === "" ? "" : `; look at ${place}`}`;
    return { failure: { code: "agent_rejected", message, retryable: false } };
  }
  const texts = parsed.data.map(({ role, content }) => ({ role, text: typeof content === "string" ? content : content.map((part) => part.text).join("") }));
  return {
    // Some providers take system text at the front only.
    system: texts.flatMap(({ role, text }) => (role === "system" ? [text] : [])),
    conversation: texts.flatMap(({ role, text }) => (role === "system" ? [] : [{ role, content: [{ type: "text" as const, text }] }])),
  };
}

/** `prompt`, a bare string, or any other input as JSON. */
function taskText({ input, dependencies, llm }: WorkOrder): string {
  const prompt = isRecord(input) && "prompt" in input ? input["prompt"] : input;
  if (typeof prompt === "string" && prompt.trim() !== "") return prompt;
  const isEmpty = prompt === null || prompt === undefined || prompt === "" || (typeof prompt === "object" && Object.keys(prompt).length === 0);
  if (!isEmpty) return textOf(prompt as Json);
  return Object.keys(dependencies).length > 0 && llm?.context.mode !== "none" ? TASK_FROM_RESULTS : TASK_FROM_NOTHING;
}

/** The dependencies' outputs, each in a tag that names its task. */
function contextOf({ dependencies, llm }: WorkOrder): string | null {
  const entries = Object.entries(dependencies).filter(([, output]) => output !== null);
  if (llm?.context.mode === "none" || entries.length === 0) return null;
  const sections = entries.map(([taskId, output]) => `<result task="${taskId}">\n${textOf(output).replaceAll("</result", "<\\/result")}\n</result>`);
  return `Results of earlier tasks:\n\n${sections.join("\n\n")}`;
}

function schemaOrder(schema: Json): string {
  const order = "Answer with one JSON value and nothing else: no explanation, no code fence.";
  if (typeof schema === "boolean") return order;
  return `${order} It must satisfy this JSON Schema:\n<schema>\n${JSON.stringify(schema)}\n</schema>`;
}

function appendText(conversation: LanguageModelV4Message[], text: string): void {
  const last = conversation.at(-1);
  if (last?.role === "user") conversation[conversation.length - 1] = { ...last, content: [...last.content, { type: "text", text: `\n\n${text}` }] };
  else conversation.push(userMessage(text));
}

function userMessage(text: string): LanguageModelV4Message {
  return { role: "user", content: [{ type: "text", text }] };
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

function isRecord(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
