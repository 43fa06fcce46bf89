import { describe, expect, test } from "vitest";
import type { ChatBody } from "../../../src/api/gateway/chat-body.ts";
import { translateRequest } from "../../../src/api/gateway/translate-request.ts";
import type { ModelEntry, ProviderEntry } from "../../../src/config/tiers.ts";

const MODEL: ModelEntry = { id: "m", provider: "p", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 8_000, maxOutputTokens: 1_000, capabilities: [] };

function translate(fields: object, kind: ProviderEntry["kind"] = "anthropic") {
  const body = { model: "m", messages: [{ role: "user", content: "Hi" }], ...fields } as ChatBody;
  return translateRequest(body, { id: "p", kind, ...(kind === "openai" ? { options: { api: "responses" } } : {}) }, MODEL);
}

function optionsOf(fields: object, kind?: ProviderEntry["kind"]) {
  const translated = translate(fields, kind);
  if ("refusal" in translated) throw new Error(translated.refusal.message);
  return translated.options;
}

describe("a conversation", () => {
  test("keeps its texts, images, calls and results; system texts move to the front", () => {
    const { prompt } = optionsOf({
      messages: [
        { role: "user", content: [{ type: "text", text: "Look" }, { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } }, { type: "image_url", image_url: { url: "https://x.example/a.jpg" } }] },
        { role: "developer", content: "Be brief." },
        { role: "assistant", content: null, tool_calls: [{ id: "t1", type: "function", function: { name: "see", arguments: '{"at":1}' } }, { id: "t2", type: "function", function: { name: "hear", arguments: "" } }] },
        { role: "tool", tool_call_id: "t1", content: [{ type: "text", text: "blue" }] },
        { role: "tool", tool_call_id: "t2", content: "wind" },
        { role: "system", content: [{ type: "text", text: "Be kind." }] },
      ],
    });
    expect(prompt).toEqual([
      { role: "system", content: "Be brief.\n\nBe kind." },
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "file", mediaType: "image/png", data: { type: "data", data: "AAAA" } },
          { type: "file", mediaType: "image/*", data: { type: "url", url: new URL("https://x.example/a.jpg") } },
        ],
      },
      { role: "assistant", content: [{ type: "tool-call", toolCallId: "t1", toolName: "see", input: { at: 1 } }, { type: "tool-call", toolCallId: "t2", toolName: "hear", input: {} }] },
      { role: "tool", content: [{ type: "tool-result", toolCallId: "t1", toolName: "see", output: { type: "text", value: "blue" } }] },
      { role: "tool", content: [{ type: "tool-result", toolCallId: "t2", toolName: "hear", output: { type: "text", value: "wind" } }] },
    ]);
  });

  test.each([
    [{ role: "tool", tool_call_id: "nobody", content: "x" }, "messages[0].tool_call_id"],
    [{ role: "function", name: "f", content: "x" }, "messages[0].role"],
    [{ role: "user", content: [{ type: "hologram" }] }, "messages[0].content[0]"],
    [{ role: "user", content: [{ type: "image_url", image_url: { url: "ftp://x" } }] }, "messages[0].content[0]"],
    [{ role: "assistant", function_call: { name: "f", arguments: "" } }, "messages[0].function_call"],
    [{ role: "assistant", tool_calls: [{ id: "t", type: "custom" }] }, "messages[0].tool_calls"],
    [{ role: "assistant", tool_calls: [{ id: "t", type: "function", function: { name: "f", arguments: "{" } }] }, "messages[0].tool_calls"],
  ])("with %j is refused at %s", (message, param) => {
    expect(translate({ messages: [message] })).toMatchObject({ refusal: { status: 400, type: "invalid_request_error", param } });
  });
});

describe("parameters", () => {
  test("are said in the other format's words", () => {
    const options = optionsOf({
      temperature: 0.3,
      top_p: 0.9,
      stop: ["a", "b"],
      max_tokens: 5_000,
      reasoning_effort: "low",
      parallel_tool_calls: false,
      tools: [{ type: "function", function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } }, { type: "function", function: { name: "g" } }],
      tool_choice: { type: "function", function: { name: "f" } },
      response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } },
    });
    expect(options).toMatchObject({
      temperature: 0.3,
      topP: 0.9,
      stopSequences: ["a", "b"],
      maxOutputTokens: 1_000,
      reasoning: "low",
      tools: [{ type: "function", name: "f", description: "d", inputSchema: { type: "object" }, strict: true }, { type: "function", name: "g", inputSchema: { type: "object", properties: {} } }],
      toolChoice: { type: "tool", toolName: "f" },
      responseFormat: { type: "json", name: "n", schema: { type: "object" } },
      providerOptions: { anthropic: { disableParallelToolUse: true } },
    });
  });

  test("that ask for nothing are none", () => {
    const nothing = { n: 1, seed: null, logprobs: false, top_logprobs: 0, logit_bias: {}, presence_penalty: 0, frequency_penalty: 0, functions: [], tools: [], modalities: ["text"], user: "u", metadata: { a: "b" }, store: true, whatever: 1 };
    expect(optionsOf(nothing, "offline")).toEqual(optionsOf({}, "offline"));
  });

  test("a format that demands an output cap gets the model's where the client sets none", () => {
    expect([optionsOf({}, "anthropic").maxOutputTokens, optionsOf({}, "google").maxOutputTokens, optionsOf({ max_completion_tokens: 7 }, "google").maxOutputTokens]).toEqual([1_000, undefined, 7]);
  });

  test.each([
    ["n", 2, ["anthropic", "google", "openai", "offline"]],
    ["logprobs", true, ["anthropic", "google", "openai", "offline"]],
    ["logit_bias", { 5: 1 }, ["anthropic", "google", "openai", "offline"]],
    ["seed", 1, ["anthropic", "openai"]],
    ["presence_penalty", 0.5, ["anthropic", "openai", "offline"]],
    ["parallel_tool_calls", false, ["google"]],
    ["stop", "x", ["openai", "offline"]],
    ["tools", [{ type: "function", function: { name: "f" } }], ["offline"]],
    ["tools", [{ type: "custom", custom: { name: "f" } }], ["anthropic", "google", "openai", "offline"]],
    ["tool_choice", { type: "allowed_tools" }, ["anthropic", "google", "openai", "offline"]],
    ["response_format", { type: "grammar" }, ["anthropic", "google", "openai", "offline"]],
    ["modalities", ["text", "audio"], ["anthropic", "google", "openai", "offline"]],
  ])("%s %j is refused, by name, where it cannot be said: %j", (name, value, kinds) => {
    const refusing = (["anthropic", "google", "openai", "offline"] as const).filter((kind) => "refusal" in translate({ [name]: value }, kind));
    expect(refusing).toEqual(kinds);
    expect(translate({ [name]: value }, refusing[0]!)).toMatchObject({ refusal: { status: 400, param: name } });
  });

  test("the embedded engine reads text only", () => {
    const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] }];
    expect(translate({ messages }, "offline")).toMatchObject({ refusal: { param: "messages" } });
  });
});
