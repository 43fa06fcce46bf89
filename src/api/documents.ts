import { z } from "zod";
import { renderDocsPage } from "./openapi/docs-page.ts";
import type { Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { describeApi } from "./openapi/openapi.ts";

/** The page has no script and loads nothing. */
const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What needs no key. Both forms of the document are made of the endpoints, these among them, when one is first asked for: anybody may ask, as often as they like. */
export function documentEndpoints(listEndpoints: () => readonly Endpoint[]): readonly Endpoint[] {
  let made: { json: string; page: string } | null = null;
  const makeDocuments = (): { json: string; page: string } => {
    const document = describeApi(listEndpoints());
    return { json: JSON.stringify(document), page: renderDocsPage(document) };
  };
  const documents = () => (made ??= makeDocuments());
  return [
    {
      method: "GET",
      path: "/openapi.json",
      tag: "Documents",
      summary: "This API as an OpenAPI 3.1 document",
      access: "public",
      answers: { 200: { description: "The document", mediaType: "application/json" } },
      handle: async () => new Response(documents().json, { headers: { "content-type": "application/json" } }),
    },
    {
      method: "GET",
      path: "/docs",
      tag: "Documents",
      summary: "The same for people",
      access: "public",
      answers: { 200: { description: "A page", mediaType: "text/html" } },
      handle: async () => {
        const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": DOCS_POLICY };
        return new Response(documents().page, { headers });
      },
    },
    {
      method: "GET",
      path: "/healthz",
      tag: "Documents",
      summary: "Whether the service answers",
      access: "public",
      answers: { 200: { description: "It does", schema: z.object({ status: z.literal("ok") }) } },
      handle: async () => answerJson(200, { status: "ok" }),
    },
  ];
}
