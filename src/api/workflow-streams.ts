import { z } from "zod";
import { createStreamToken, STREAM_TOKEN_LIFE_MS } from "./auth/stream-token.ts";
import { callerOf, headerFault, type Api, type ApiContext, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuse, refuseFaults, RequestRefused, valueOf } from "./http/problem.ts";
import { queryInteger, readOptions, readQuery } from "./http/read-request.ts";
import { AnsweredEvent, pageOf } from "./openapi/workflow-schemas.ts";
import { STREAM_KEY_HEADER } from "./ports/workflow-port.ts";
import { workflowExists, workflowIdOf, workflowOf } from "./workflows/workflow-path.ts";

/** Most events of one page (contract); also what a page has when nothing is said, since events are small and mostly wanted whole. */
export const MAX_EVENTS = 1_000;

const seq = queryInteger(0, Number.MAX_SAFE_INTEGER);

const EventQuery = z.object({
  after: seq.optional(),
  /** What the page before answered as `nextCursor`: the seq of its last event. */
  cursor: seq.optional(),
  limit: queryInteger(1, MAX_EVENTS).default(MAX_EVENTS),
});
const SocketQuery = z.object({ after: seq.default(0) });
const NoOptions = z.strictObject({});

const TOKEN_PARAMETER = { name: "token", in: "query", description: "A stream token instead of a key" } as const;

export const WORKFLOW_STREAM_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/workflows/:id/events",
    tag: "Events",
    summary: "The event log, ascending: a JSON page, or with `Accept: text/event-stream` a stream that ends after the final event",
    access: "workflows:read",
    acceptsStreamToken: true,
    query: EventQuery,
    extraParameters: [TOKEN_PARAMETER, { name: "Last-Event-ID", in: "header", description: "Streams: go on after this seq" }],
    answers: { 200: { description: "A page of events, or the stream", schema: pageOf(AnsweredEvent) } },
    exists: workflowExists,
    handle: async (context, api) => {
      const query = readQuery(context, EventQuery);
      const after = query.cursor ?? query.after ?? 0;
      // A HEAD request wants no stream: nobody would read it, and nothing would end it.
      if (!isStreamWanted(context) || context.req.raw.method === "HEAD") {
        return answerJson(200, valueOf(await workflowOf(context, api).readEvents({ after, limit: query.limit })));
      }
      return openStream(context, api, `/events?after=${readLastEventId(context) ?? after}`, { accept: "text/event-stream" });
    },
  },
  {
    method: "GET",
    path: "/v1/workflows/:id/socket",
    tag: "Events",
    summary: "A WebSocket with the same events as frames; closes with 1000 after the final event",
    access: "workflows:read",
    acceptsStreamToken: true,
    query: SocketQuery,
    extraParameters: [TOKEN_PARAMETER],
    answers: { 101: { description: "The socket" } },
    exists: workflowExists,
    handle: async (context, api) => {
      const { after } = readQuery(context, SocketQuery);
      if (context.req.header("upgrade")?.toLowerCase() !== "websocket") refuse("upgrade_required", "Open this address with a WebSocket client: the header Upgrade must be websocket.");
      return openStream(context, api, `/socket?after=${after}`, { upgrade: "websocket" });
    },
  },
  {
    method: "POST",
    path: "/v1/workflows/:id/stream-token",
    tag: "Events",
    summary: "A token that opens this workflow's events and socket for five minutes, for browsers",
    access: "workflows:read",
    body: { schema: NoOptions, isOptional: true },
    answers: { 200: { description: "The token", schema: z.object({ token: z.string(), expiresAt: z.string() }) } },
    exists: workflowExists,
    handle: async (context, api) => {
      await readOptions(context, NoOptions);
      if (!(await workflowExists(context, api))) refuse("not_found", "There is no workflow of this id.");
      const { tenant, keyId } = callerOf(context);
      const expiresAt = api.deps.now() + STREAM_TOKEN_LIFE_MS;
      const token = await createStreamToken({ tenant, keyId, workflowId: workflowIdOf(context), expiresAt }, api.deps.rootKey ?? "");
      return answerJson(200, { token, expiresAt: new Date(expiresAt).toISOString() });
    },
  },
];

function isStreamWanted(context: ApiContext): boolean {
  return /(^|[,\s])text\/event-stream\b/i.test(context.req.header("accept") ?? "");
}

/** Where a client that was cut off goes on. It sends the address that it began with, so this goes before `?after=`. */
function readLastEventId(context: ApiContext): number | null {
  const header = context.req.header("last-event-id");
  if (header === undefined || header === "") return null;
  const parsed = seq.safeParse(header);
  if (!parsed.success) refuseFaults([headerFault("Last-Event-ID", "must be the id of an event of this stream")]);
  return parsed.data;
}

/** Hands the connection to the workflow's object. The client's own headers and its token stay here. */
async function openStream(context: ApiContext, api: Api, pathAndQuery: string, headers: Record<string, string>): Promise<Response> {
  const { keyId } = callerOf(context);
  const opened = { ...headers, "request-id": context.var.requestId, ...(keyId === null ? {} : { [STREAM_KEY_HEADER]: keyId }) };
  const request = new Request(`https://workflow${pathAndQuery}`, { headers: opened, signal: context.req.raw.signal });
  const response = await workflowOf(context, api).fetch(request);
  if (response.status === 404) refuse("not_found", "There is no workflow of this id.");
  if (response.status === 429) throw new RequestRefused({ problem: "rate_limited", detail: "This workflow serves as many streams as it can: close one first.", retryAfterMs: (Number(response.headers.get("retry-after")) || 0) * 1_000 });
  // A copy, because the headers of an answer that was fetched cannot be changed; the socket of an upgrade goes with it.
  return new Response(response.body, response);
}
