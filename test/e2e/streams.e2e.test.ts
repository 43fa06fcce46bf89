import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { ServerSentEvent } from "../../scripts/server-sent-events.ts";
import { MAX_STREAMS } from "../../src/durable-objects/workflow/streams/live-feed.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type PostedSpec, putHttpAgents, type WeftClient } from "./weft-client.ts";

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker();
  client = createWeftClient(worker);
  await putHttpAgents(client, agents.origin, { echo: "/echo", slow: "/slow?ms=200", never: "/hang" });
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

/** Takes long enough to be watched while it runs. */
const watched: PostedSpec = {
  tasks: [
    { id: "a", agent: "slow" },
    { id: "b", agent: "slow", dependsOn: ["a"] },
    { id: "c", agent: "echo", dependsOn: ["b"] },
  ],
};

const dataOf = (messages: readonly ServerSentEvent[]): unknown[] => messages.map((message) => JSON.parse(message.data));

interface SocketStory {
  frames: unknown[];
  /** Null while the server has not closed the socket to its end. */
  code: number | null;
}

/**
 * Opens a socket with the browser's interface and reads it until the server's close frame. The local runtime ends the connection
 * of a hibernating object's socket only when the object goes to sleep, ten seconds later, so `untilClosed` says whether to wait for that.
 */
function readSocket(path: string, options: { untilClosed: boolean }): Promise<SocketStory> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${worker.origin.replace("http", "ws")}${path}`);
    const frames: unknown[] = [];
    const poll = setInterval(() => {
      if (!options.untilClosed && socket.readyState === WebSocket.CLOSING) finish(null);
    }, 10);
    const finish = (code: number | null) => {
      clearInterval(poll);
      resolve({ frames, code });
    };
    socket.addEventListener("message", (message) => frames.push(JSON.parse(String(message.data))));
    socket.addEventListener("close", (event) => finish(event.code));
    socket.addEventListener("error", () => {
      clearInterval(poll);
      reject(new Error(`the socket ${path} was refused`));
    });
  });
}

async function createToken(id: string): Promise<string> {
  const answer = await client.call<{ token: string; expiresAt: string }>("POST", `/v1/workflows/${id}/stream-token`);
  expect(Date.parse(answer.body.expiresAt)).toBeGreaterThan(Date.now());
  return answer.body.token;
}

describe.concurrent("the event stream", () => {
  test("of a running workflow tells everything from the first event to the final one, and ends; the JSON pages say the same", async () => {
    const { id } = await client.create(watched);
    const messages = await client.stream(id);
    const logged = await client.events(id);
    expect(messages.map((message) => Number(message.id))).toEqual(logged.map((event) => event.seq));
    expect(messages.map((message) => message.event)).toEqual(logged.map((event) => event.type));
    expect(dataOf(messages)).toEqual(logged);
    expect(logged.map((event) => event.seq)).toEqual(logged.map((_, index) => index + 1));
    expect(messages.at(-1)!.event).toBe("workflow.completed");
  });

  test("goes on after Last-Event-ID with exactly the rest, at every place it can break", async () => {
    const { id } = await client.run(watched);
    const logged = await client.events(id);
    const rests = await Promise.all(logged.map((event) => client.stream(id, { lastEventId: event.seq })));
    expect(rests.map(dataOf)).toEqual(logged.map((event) => logged.slice(event.seq)));
    expect(dataOf(await client.stream(id, { lastEventId: 3, query: "?after=1" }))).toEqual(logged.slice(3));
    expect(dataOf(await client.stream(id, { query: "?after=5" }))).toEqual(logged.slice(5));
  });

  test("that breaks while the workflow runs loses and repeats nothing", async () => {
    const { id } = await client.create(watched);
    const seen: LoggedEvent[] = [];
    while (seen.at(-1)?.type !== "workflow.completed") {
      let count = 0;
      const part = await client.stream(id, { lastEventId: seen.at(-1)?.seq ?? 0, isEnough: () => ++count === 2 });
      seen.push(...(dataOf(part) as LoggedEvent[]));
    }
    expect(seen).toEqual(await client.events(id));
  });

  test("pages are ascending, bounded by limit, and say where the next begins", async () => {
    const { id } = await client.run(watched);
    const all = await client.events(id);
    const page = await client.call<{ items: LoggedEvent[]; nextCursor: string | null }>("GET", `/v1/workflows/${id}/events?after=2&limit=3`);
    expect(page.body).toEqual({ items: all.slice(2, 5), nextCursor: "5" });
    expect((await client.call("GET", `/v1/workflows/${id}/events?limit=1001`)).status).toBe(422);
  });
});

describe.concurrent("the socket", () => {
  test("of a running workflow carries the same objects as the log and closes after the final one", async () => {
    const { id } = await client.create(watched);
    const { frames } = await readSocket(`/v1/workflows/${id}/socket?token=${await createToken(id)}`, { untilClosed: false });
    expect(frames).toEqual(await client.events(id));
  });

  test("of a finished workflow sends what is after ?after= and closes with 1000", async () => {
    const { id } = await client.run(watched);
    const story = await readSocket(`/v1/workflows/${id}/socket?after=4&token=${await createToken(id)}`, { untilClosed: true });
    expect(story).toEqual({ frames: (await client.events(id)).slice(4), code: 1000 });
  });
});

/** A client without manners: what it was answered, and its connection. */
function openRaw(path: string, headers: string[]): Promise<{ status: number; socket: Socket }> {
  const { hostname, port } = new URL(worker.origin);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write([`GET ${path} HTTP/1.1`, `host: ${hostname}:${port}`, ...headers, "", ""].join("\r\n")));
    socket.once("data", (head) => resolve({ status: Number(String(head).split(" ")[1]), socket }));
    socket.once("error", reject);
  });
}

const UPGRADE = ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];

// Beside each other: an event stream that nobody reads is noticed by the next comment, after up to fifteen seconds.
describe.concurrent("clients that vanish without a word", () => {
  test.each([["event streams", "events", ["accept: text/event-stream"]], ["sockets", "socket", UPGRADE]])("as %s free their places, and the workflow goes on", async (_kind, path, headers) => {
    const { id } = await client.create({ tasks: [{ id: "a", agent: "never" }, { id: "b", agent: "echo" }] });
    const token = await createToken(id);
    const open = () => openRaw(`/v1/workflows/${id}/${path}?token=${token}`, headers);
    const served = path === "events" ? 200 : 101;
    const all = await Promise.all(Array.from({ length: MAX_STREAMS }, open));
    expect(all.map(({ status }) => status)).toEqual(all.map(() => served));
    expect((await open()).status).toBe(429);
    all.forEach(({ socket }) => socket.resetAndDestroy());
    await eventually(async () => expect((await open()).status).toBe(served), 25_000);
    expect((await client.call("POST", `/v1/workflows/${id}/cancel`)).status).toBe(202);
    expect(await client.finish(id)).toMatchObject({ status: "cancelled", tasks: { b: { status: "completed" } } });
  });
});

describe.concurrent("a stream token", () => {
  test("opens the streams of its workflow and nothing else", async () => {
    const [mine, other] = await Promise.all([client.run(watched), client.run(watched)]);
    const token = await createToken(mine.id);
    const get = async (path: string, method = "GET") => (await client.call(method, `${path}?token=${token}`, { key: null })).status;
    expect(await get(`/v1/workflows/${mine.id}/events`)).toBe(200);
    expect(await get(`/v1/workflows/${other.id}/events`)).toBe(401);
    expect(await get(`/v1/workflows/${mine.id}`)).toBe(401);
    expect(await get(`/v1/workflows/${mine.id}/ledger`)).toBe(401);
    expect(await get(`/v1/workflows/${mine.id}/cancel`, "POST")).toBe(401);
    await expect(readSocket(`/v1/workflows/${other.id}/socket?token=${token}`, { untilClosed: true })).rejects.toThrow();
    const forged = `${token.slice(0, -2)}AA`;
    expect((await client.call("GET", `/v1/workflows/${mine.id}/events?token=${forged}`, { key: null })).status).toBe(401);
    expect(await client.stream(mine.id, { key: null, query: `?token=${token}` })).not.toHaveLength(0);
  });
});

test("a streaming task of the embedded engine shows its text as it comes, beside the log and never in it", async () => {
  const { id } = await client.create({
    tasks: [
      { id: "first", agent: "slow" },
      { id: "write", agent: "scout", dependsOn: ["first"], context: { mode: "none" }, stream: true, input: { prompt: `Summarize: ${"Rivers carry water to the sea. ".repeat(20)}` } },
    ],
  });
  const messages = await client.stream(id);
  const workflow = await client.finish(id);
  expect(workflow.tasks!["write"]).toMatchObject({ status: "completed", route: { provider: "offline" } });

  const deltas = messages.filter((message) => message.event === "task.delta");
  expect(deltas.every((message) => message.id === null || message.id === "")).toBe(true);
  const frames = dataOf(deltas) as { taskId: string; data: { text: string; attempt: number } }[];
  expect(frames.every((frame) => frame.taskId === "write" && frame.data.attempt === 1)).toBe(true);
  expect(frames.map((frame) => frame.data.text).join("")).toBe(workflow.tasks!["write"]!.output);
  expect((await client.events(id)).map((event) => event.type)).not.toContain("task.delta");
});
