import type { LanguageModelV4FilePart, LanguageModelV4Message, LanguageModelV4Prompt, LanguageModelV4TextPart, LanguageModelV4ToolCallPart } from "@ai-sdk/provider";
import { z } from "zod";
import { textsOf, type ChatBody, type ChatMessage } from "./chat-body.ts";
import { refuseRequest, type OpenAiError } from "./openai-error.ts";

const ContentPart = z.union([
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("refusal"), refusal: z.string() }),
  z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string().min(1) }) }),
  z.object({ type: z.literal("input_audio"), input_audio: z.object({ data: z.string(), format: z.string() }) }),
  z.object({ type: z.literal("file"), file: z.object({ file_data: z.string().min(1), filename: z.string().nullish() }) }),
]);
type ContentPart = z.infer<typeof ContentPart>;

const ToolCall = z.object({ id: z.string(), type: z.literal("function"), function: z.object({ name: z.string(), arguments: z.string() }) });

/** Carries the first part that cannot be translated out of the walk over the messages. Caught in this file. */
class Untranslatable extends Error {
  readonly refusal: OpenAiError;

  constructor(message: string, param: string) {
    super(message);
    this.refusal = refuseRequest(message, param);
  }
}

/** The messages for providers of another wire format. System texts move to the front, where all providers take them. */
export function translateMessages({ messages }: ChatBody): { prompt: LanguageModelV4Prompt } | { refusal: OpenAiError } {
  try {
    const system = messages.filter(isSystem).flatMap(textsOf).join("\n\n");
    const toolNames = new Map<string, string>();
    const conversation = messages.flatMap((message, index) => (isSystem(message) ? [] : [translateMessage(message, `messages[${index}]`, toolNames)]));
    return { prompt: [...(system === "" ? [] : [{ role: "system" as const, content: system }]), ...conversation] };
  } catch (error) {
    if (error instanceof Untranslatable) return { refusal: error.refusal };
    throw error;
  }
}

function isSystem({ role }: ChatMessage): boolean {
  return role === "system" || role === "developer";
}

/** `toolNames`: names of the tools by the ids of their calls so far; a result has the id only. */
function translateMessage(message: ChatMessage, param: string, toolNames: Map<string, string>): LanguageModelV4Message {
  switch (message.role) {
    case "user":
      return { role: "user", content: translateContent(message, param) };
    case "assistant": {
      const texts = translateContent(message, param).filter((part) => part.type === "text" && part.text !== "") as LanguageModelV4TextPart[];
      return { role: "assistant", content: [...texts, ...translateToolCalls(message, param, toolNames)] };
    }
    case "tool": {
      const toolCallId = message["tool_call_id"];
      const toolName = typeof toolCallId === "string" ? toolNames.get(toolCallId) : undefined;
      if (typeof toolCallId !== "string" || toolName === undefined) throw new Untranslatable(`${param}.tool_call_id is the id of no tool call before it.`, `${param}.tool_call_id`);
      return { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output: { type: "text", value: textsOf(message).join("") } }] };
    }
    default:
      throw new Untranslatable(`${param}.role: this model takes no messages of the role ${JSON.stringify(message.role)}.`, `${param}.role`);
  }
}

function translateContent({ content }: ChatMessage, param: string): (LanguageModelV4TextPart | LanguageModelV4FilePart)[] {
  if (content == null) return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((part, index) => {
    const parsed = ContentPart.safeParse(part);
    const at = `${param}.content[${index}]`;
    if (!parsed.success) throw new Untranslatable(`${at}: this model takes no such part of type ${JSON.stringify(part.type)}.`, at);
    return translatePart(parsed.data, at);
  });
}

function translatePart(part: ContentPart, at: string): LanguageModelV4TextPart | LanguageModelV4FilePart {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.refusal };
    case "image_url":
      return readFile(part.image_url.url, "image/*", at);
    case "input_audio":
      return { type: "file", mediaType: `audio/${part.input_audio.format}`, data: { type: "data", data: part.input_audio.data } };
    case "file":
      return { ...readFile(part.file.file_data, "application/pdf", at), ...(part.file.filename == null ? {} : { filename: part.file.filename }) };
  }
}

/** A data URL, or the URL of something that the provider fetches. */
function readFile(url: string, mediaType: string, at: string): LanguageModelV4FilePart {
  const data = /^data:([^;,]+)(?:;[^,]*)?;base64,/i.exec(url);
  if (data !== null) return { type: "file", mediaType: data[1]!, data: { type: "data", data: url.slice(data[0].length) } };
  if (!/^https?:/i.test(url) || !URL.canParse(url)) throw new Untranslatable(`${at} needs an http(s) URL or a data URL in base64.`, at);
  return { type: "file", mediaType, data: { type: "url", url: new URL(url) } };
}

function translateToolCalls(message: ChatMessage, param: string, toolNames: Map<string, string>): LanguageModelV4ToolCallPart[] {
  if (message["function_call"] != null) throw new Untranslatable(`${param}.function_call: this model takes tool_calls only.`, `${param}.function_call`);
  const calls = message["tool_calls"] ?? [];
  const parsed = z.array(ToolCall).safeParse(calls);
  if (!parsed.success) throw new Untranslatable(`${param}.tool_calls: this model takes calls of functions only, each with id, name and arguments.`, `${param}.tool_calls`);
  return parsed.data.map(({ id, function: { name, arguments: text } }) => {
    toolNames.set(id, name);
    return { type: "tool-call", toolCallId: id, toolName: name, input: parseArguments(text, param) };
  });
}

function parseArguments(text: string, param: string): unknown {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new Untranslatable(`${param}.tool_calls: the arguments of each call must be JSON.`, `${param}.tool_calls`);
  }
}
