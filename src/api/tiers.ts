import { z } from "zod";
import { TierDocument, validateTierDocument } from "../config/tiers.ts";
import type { Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuseFaults } from "./http/problem.ts";
import { readJson } from "./http/read-request.ts";
import { OPERATOR_TENANT, readStoredTiers } from "./stored-tiers.ts";

const AnsweredTiers = TierDocument.extend({ version: z.int() });
/** What GET answers can be put back: its version says nothing about the new one, which takes the next. */
const PostedTiers = TierDocument.extend({ version: z.int().min(0).nullish().describe("Of the document that this one was made from; not looked at") });

export const TIER_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/tiers",
    tag: "Configuration",
    summary: "The providers, models and tiers that tasks are routed by",
    access: "config:read",
    answers: { 200: { description: "The document", schema: AnsweredTiers } },
    handle: async (_context, api) => {
      const { version, document } = await readStoredTiers(api.deps.tenant(OPERATOR_TENANT));
      return answerJson(200, { version, ...document });
    },
  },
  {
    method: "PUT",
    path: "/v1/tiers",
    tag: "Configuration",
    summary: "Replace the providers, models and tiers; refused as a whole when any part is wrong",
    access: "root",
    body: { schema: PostedTiers },
    answers: { 200: { description: "The document as stored, with its version", schema: AnsweredTiers } },
    handle: async (context, api) => {
      const { json } = await readJson(context);
      const checked = validateTierDocument(withoutVersion(json), api.deps.checkUrl);
      if ("faults" in checked) refuseFaults(checked.faults);
      const { version } = await api.deps.tenant(OPERATOR_TENANT).writeTiers(JSON.stringify(checked.document));
      await api.deps.tiers.publish({ version, document: checked.document });
      return answerJson(200, { version, ...checked.document });
    },
  },
];

/** One of another type stays, and is refused like any key that is not known. */
function withoutVersion(json: unknown): unknown {
  if (typeof json !== "object" || json === null || !("version" in json) || !PostedTiers.shape.version.safeParse(json.version).success) return json;
  const { version: _, ...document } = json;
  return document;
}
