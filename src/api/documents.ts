import { renderDocsPage } from "./docs-page.ts";
import type { Endpoint } from "./endpoint.ts";
import { answerJson } from "./answer-json.ts";
import { describeApi } from "./openapi.ts";

/** The page has no script and loads nothing. */
const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What needs no key. The document is made of the endpoints, these among them, when it is first asked for. */
export function documentEndpoints(listEndpoints: () => readonly Endpoint[]): readonly Endpoint[] {
  let openApi: ReturnType<typeof describeApi> | null = null;
  const document = () => (openApi ??= describeApi(listEndpoints()));
  return [
    {
      method: "GET",
      path: "/openapi.json",
      tag: "Documents",
      summary: "This API as an OpenAPI 3.1 document",
      access: "public",
      answers: { 200: { description: "The document" } },
      handle: async () => answerJson(200, document()),
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
        return new Response(renderDocsPage(document()), { headers });
      },
    },
    {
      method: "GET",
      path: "/healthz",
      tag: "Documents",
      summary: "Whether the service answers",
      access: "public",
      answers: { 200: { description: "It does" } },
      handle: async () => answerJson(200, { status: "ok" }),
    },
  ];
}
