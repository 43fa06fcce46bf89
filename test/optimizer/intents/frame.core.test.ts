import { describe, expect, it } from "vitest";
import { classifyByPatterns } from "../../../src/optimizer/intents/classify-by-patterns.ts";
import { findPassive, readFrame } from "../../../src/optimizer/intents/frame.ts";
import { type Intent, INTENTS } from "../../../src/optimizer/intents/intent.ts";
import { readClauses } from "../../../src/optimizer/intents/reading.ts";
import { LAST_STEPS } from "./last-steps.ts";
import { LAST_NAMES } from "./last-names.ts";
import { LATER_NAMES } from "./later-names.ts";
import { TRADE_STEPS } from "./steps-of-many-trades.ts";
import { VARIED_STEPS } from "./varied-steps.ts";

function frameOf(text: string) {
  return readFrame(readClauses(text, () => false)[0]!);
}

describe("the frame of a clause", () => {
  it.each<[string, string, string]>([
    ["a polite question", "Could you please sort the plates?", "sort the plates"],
    ["a wish of the speaker", "I would like you to sort the plates", "sort the plates"],
    ["a task that is named", "Your task is to sort the plates", "sort the plates"],
    ["a reminder", "Don't forget to sort the plates", "sort the plates"],
    ["an aside before a comma", "Without breaking any, sort the plates", "sort the plates"],
    ["a source before a comma", "From the kitchen, bring the plates", "bring the plates"],
    ["a relative clause", "Sort the plates that were sent yesterday", "sort the plates"],
  ])("leaves out %s", (_, text, order) => {
    const frame = frameOf(text)!;
    expect(frame.words.slice(frame.head).join(" ")).toBe(order);
    expect(frame.asks).toBe(false);
  });

  it.each(["You are a waiter", "Here is the menu", "Below are two menus"])("is none where only the scene is set: %s", (text) => {
    expect(frameOf(text)).toBeUndefined();
  });

  it.each<[string, boolean]>([["Is the kitchen open?", true], ["Can you open the kitchen?", false], ["Plates clean?", true]])("tells questions from requests: %s", (text, asks) => {
    expect(frameOf(text)!.asks).toBe(asks);
  });

  it.each<[string, string | undefined]>([
    ["Plates must be sorted", "sorted"],
    ["The guest is informed by mail", "informed"],
    ["Old plates are ignored", "ignored"],
    ["Plate was sorted", undefined],
    ["Guest is verified", undefined],
    ["Is the guest informed by mail?", undefined],
  ])("finds the passive that orders, and none that states: %s", (text, participle) => {
    const frame = frameOf(text)!;
    expect(frame.words[findPassive(frame)]).toBe(participle);
  });
});

describe("what is said in a roundabout way", () => {
  it.each<[Intent, string]>([
    ["send", "Let the cook know that the oven is hot"],
    ["send", "Keep the guests informed about the delay"],
    ["extract", "Please tell me which wines are named on the card"],
    ["summarize", "In two sentences, what was said about the soup"],
    ["generate", "Could you think of a name for the soup?"],
    ["aggregate", "How many guests had the soup?"],
    ["filter", "I only want to see soups without meat"],
    ["transform", "Put the recipe into German"],
    ["conditional", "Where should the order go?"],
  ])("%s: %s", (intent, text) => expect(classifyByPatterns(text).intent).toBe(intent));

  it("what is denied is not done", () => {
    expect(classifyByPatterns("Do not send anything, just count the plates").intent).toBe("aggregate");
    expect(classifyByPatterns("Never summarize, translate the menu").intent).toBe("transform");
  });
});

describe("what a name states", () => {
  it.each<[Intent, string]>([
    ["conditional", "Match found"],
    ["conditional", "Found a match"],
    ["conditional", "Summary is empty"],
    ["conditional", "Boat = ferry"],
    ["conditional", "Fare > 20"],
    ["conditional", "Send or skip"],
    ["filter", "Limit found boats"],
    ["filter", "Get the latest timetable"],
    ["transform", "List to string"],
    ["transform", "Seperate the crews"],
    ["send", "Discord the results"],
  ])("%s: %s", (intent, text) => expect(classifyByPatterns(text).intent).toBe(intent));
});

describe("steps written before the patterns saw them", () => {
  function shareRight(kind: "name" | "other"): number {
    const steps = VARIED_STEPS.filter((step) => (step.kind === "name") === (kind === "name"));
    return steps.filter((step) => [step.intent, ...step.alsoOk].includes(classifyByPatterns(step.text).intent)).length / steps.length;
  }

  it.each([
    ["of another day", LATER_NAMES],
    ["of another trade", LAST_NAMES],
  ])("are read right where they are names %s", (_, lot) => {
    const names = INTENTS.flatMap((intent) => lot[intent].split("|").map((text) => ({ intent, text })));
    expect(names.filter(({ intent, text }) => classifyByPatterns(text).intent === intent).length / names.length).toBeGreaterThanOrEqual(0.95);
  });

  it("are read right: 19 of 20 names, nine of ten roundabout steps", () => {
    expect(shareRight("name")).toBeGreaterThanOrEqual(0.95);
    expect(shareRight("other")).toBeGreaterThanOrEqual(0.9);
  });

  it.each([
    ["names", "name", 0.95],
    ["sentences", "sentence", 0.86],
  ] as const)("are read right where they are %s of many trades whose mistakes were not looked at", (_, kind, least) => {
    const steps = TRADE_STEPS.filter((step) => step.kind === kind && step.second);
    const right = steps.filter((step) => step.intent === classifyByPatterns(step.text).intent).length;
    expect(right / steps.length).toBeGreaterThanOrEqual(least);
  });

  it("are read right where they were written when the rules were done", () => {
    const right = LAST_STEPS.filter((step) => [step.intent, ...step.alsoOk].includes(classifyByPatterns(step.text).intent)).length;
    expect(right / LAST_STEPS.length).toBeGreaterThanOrEqual(0.89);
  });

  it("are 500, each once, half of them kept for a second check", () => {
    expect(new Set(TRADE_STEPS.map((step) => step.text.toLowerCase())).size).toBe(500);
    expect(TRADE_STEPS.filter((step) => step.second)).toHaveLength(250);
  });
});
