import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LiveFeed } from "../../../../src/durable-objects/workflow/streams/live-feed.ts";
import { KEEP_ALIVE_MS, MAX_MISSED_COMMENTS } from "../../../../src/durable-objects/workflow/streams/sse-client.ts";
import type { LoggedEvent } from "../../../../src/workflow/events.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A socket as far as the feed knows it. */
class FakeSocket {
  attachment: unknown;
  readonly sent: string[] = [];
  closed: number | null = null;
  constructor(after: number, keyId: string | null = null) {
    this.attachment = { after, keyId };
  }
  send(text: string): void {
    if (this.closed !== null) throw new TypeError("closed");
    this.sent.push(text);
  }
  close(code: number): void {
    this.closed = code;
  }
  deserializeAttachment(): unknown {
    return this.attachment;
  }
  serializeAttachment(value: unknown): void {
    this.attachment = value;
  }
}

/** A feed over a log in memory, which is durable only when the test says so. */
function createFeed() {
  const log: LoggedEvent[] = [];
  const sockets: FakeSocket[] = [];
  const syncs: (() => void)[] = [];
  const revoked = new Set<string>();
  let isFinal = false;
  const feed = new LiveFeed({
    readEvents: (after, limit) => log.slice(after, after + limit),
    readEnd: () => ({ lastSeq: log.length, isFinal }),
    sync: () => new Promise((resolve) => syncs.push(resolve)),
    sockets: () => sockets.filter(({ closed }) => closed === null) as unknown as WebSocket[],
    hibernate: () => undefined,
    isInForce: async (keyId) => !revoked.has(keyId),
  });
  const write = (count: number, end = false): void => {
    for (let added = 0; added < count; added += 1) log.push({ seq: log.length + 1, type: "task.started", at: "", data: {} } as unknown as LoggedEvent);
    isFinal = end;
    void feed.announce();
  };
  const settle = async (): Promise<void> => {
    syncs.splice(0).forEach((resolve) => resolve());
    await vi.advanceTimersByTimeAsync(0);
  };
  const open = async (after = 0, gone: AbortSignal = new AbortController().signal, keyId: string | null = null) => {
    const reader = feed.openSse({ after, keyId }, gone).body!.pipeThrough(new TextDecoderStream()).getReader();
    const seen: number[] = [];
    const story = { seen, isOver: false, reader };
    void (async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read()) seen.push(...[...part.value.matchAll(/^id: (\d+)$/gm)].map(([, seq]) => Number(seq)));
      story.isOver = true;
    })();
    await vi.advanceTimersByTimeAsync(0);
    return story;
  };
  return { feed, sockets, syncs, revoked, write, settle, open };
}

describe("a stream", () => {
  test("shows no event before it is durable, neither what was there when it began nor what came later", async () => {
    const { write, settle, open } = createFeed();
    write(3);
    const story = await open();
    expect(story.seen).toEqual([]);
    await settle();
    expect(story.seen).toEqual([1, 2, 3]);
    write(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(story.seen).toEqual([1, 2, 3]);
    await settle();
    expect(story.seen).toEqual([1, 2, 3, 4, 5]);
  });

  test("that asks for more while events are on their way to the disk gets what is there, and no more", async () => {
    const { write, settle, open } = createFeed();
    write(700);
    const first = await open();
    await settle();
    write(700);
    // The next page is read now, and the log in memory is twice as long as the one on the disk.
    const second = await open(600);
    expect([first.seen.at(-1), second.seen.at(-1)]).toEqual([700, undefined]);
    await settle();
    await settle();
    expect([first.seen.length, second.seen.length]).toEqual([1_400, 800]);
  });

  test("ends after the final event, once that is durable", async () => {
    const { write, settle, open } = createFeed();
    const story = await open();
    write(2, true);
    await vi.advanceTimersByTimeAsync(0);
    expect(story).toMatchObject({ seen: [], isOver: false });
    await settle();
    expect(story).toMatchObject({ seen: [1, 2], isOver: true });
  });

  test("that nobody reads is ended after a minute and frees its place; one that is read goes on", async () => {
    const { feed, write, settle, open } = createFeed();
    const response = feed.openSse({ after: 0, keyId: null }, new AbortController().signal);
    write(1);
    const read = await open();
    await settle();
    for (let event = 0; event < 40; event += 1) {
      write(1);
      await settle();
    }
    await vi.advanceTimersByTimeAsync(KEEP_ALIVE_MS * (MAX_MISSED_COMMENTS - 1));
    expect(feed.size).toBe(2);
    await vi.advanceTimersByTimeAsync(KEEP_ALIVE_MS);
    expect([feed.size, read.isOver, read.seen.length]).toEqual([1, false, 41]);
    // It may still read what was on its way, and go on from there with a new stream.
    const left = await new Response(response.body).text();
    expect([...left.matchAll(/^id: /gm)].length).toBeGreaterThan(0);
  });

  test.each(["aborts", "stops reading"])("whose client %s frees its place at once, and leaves no timer behind", async (how) => {
    const { feed, open } = createFeed();
    const gone = new AbortController();
    const story = await open(0, gone.signal);
    expect([feed.size, vi.getTimerCount()]).toEqual([1, 1]);
    if (how === "aborts") gone.abort();
    else await story.reader.cancel();
    await vi.advanceTimersByTimeAsync(0);
    expect([feed.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test("of a client that left before it was opened takes no place", async () => {
    const { feed, open } = createFeed();
    const story = await open(0, AbortSignal.abort());
    expect([feed.size, vi.getTimerCount(), story.isOver]).toEqual([0, 0, true]);
  });

  test("of a removed workflow ends, and shows nothing of the next one", async () => {
    const { feed, write, settle, open, sockets } = createFeed();
    write(2);
    const story = await open();
    const socket = new FakeSocket(0);
    sockets.push(socket);
    feed.close("gone");
    await settle();
    expect(story).toMatchObject({ seen: [], isOver: true });
    expect([socket.closed, socket.sent, feed.size]).toEqual([1000, [], 0]);
  });
});

test("a socket shows no event before it is durable, and is closed after the final one", async () => {
  const { feed, write, settle, sockets } = createFeed();
  write(1);
  const socket = new FakeSocket(0);
  sockets.push(socket);
  const begun = feed.begin(socket as unknown as WebSocket, { after: 0, keyId: null });
  expect(socket.sent).toHaveLength(0);
  await settle();
  await begun;
  expect(socket.sent).toHaveLength(1);
  write(1, true);
  await vi.advanceTimersByTimeAsync(0);
  expect([socket.sent.length, socket.closed]).toEqual([1, null]);
  await settle();
  expect([socket.sent.length, socket.closed]).toEqual([2, 1000]);
});

describe("a key that is revoked", () => {
  test("ends its streams before they show another event; those of other keys go on", async () => {
    const { feed, sockets, revoked, write, settle, open } = createFeed();
    const [own, other] = [await open(0, undefined, "key_1"), await open(0, undefined, "key_2")];
    const [ownSocket, otherSocket] = [new FakeSocket(0, "key_1"), new FakeSocket(0, "key_2")];
    sockets.push(ownSocket, otherSocket);
    write(2);
    await settle();
    revoked.add("key_1");
    write(1);
    await settle();
    expect([own.seen, own.isOver]).toEqual([[1, 2], true]);
    expect([ownSocket.sent.length, ownSocket.closed]).toEqual([2, 1008]);
    expect([other.seen, other.isOver]).toEqual([[1, 2, 3], false]);
    expect([otherSocket.sent.length, otherSocket.closed]).toEqual([3, null]);
    expect(otherSocket.attachment).toEqual({ after: 3, keyId: "key_2" });
    expect(feed.size).toBe(2);
  });

  test("ends its streams also where nothing but deltas is shown", async () => {
    const { feed, sockets, revoked, open } = createFeed();
    const story = await open(0, undefined, "key_1");
    const socket = new FakeSocket(0, "key_1");
    sockets.push(socket);
    revoked.add("key_1");
    feed.publish({ type: "task.delta", taskId: "a", at: "", data: { text: "x", attempt: 1 } });
    await vi.advanceTimersByTimeAsync(0);
    expect([story.isOver, socket.closed, feed.size]).toEqual([true, 1008, 0]);
  });
});
