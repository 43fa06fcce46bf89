/** The runtime's inspector, as far as benchmarks use it. */
export interface Inspector {
  /** JavaScript heap in use, what was not collected yet included: the runtime does not answer a request to collect. */
  readHeapBytes(): Promise<number>;
  send<Result>(method: string, params?: object): Promise<Result>;
  close(): void;
}

/** Connects to the user worker of a Miniflare that was started with an inspector port. */
export async function openInspector(port: number): Promise<Inspector> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl);
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(String(event.data)) as { id?: number; result?: unknown; error?: { message: string } };
    const waiter = message.id === undefined ? undefined : waiting.get(message.id);
    if (message.error !== undefined) waiter?.reject(new Error(message.error.message));
    else waiter?.resolve(message.result);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("the inspector refused the connection")));
  });
  const send = <Result>(method: string, params: object = {}): Promise<Result> =>
    new Promise<Result>((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve: resolve as (result: unknown) => void, reject });
      socket.send(JSON.stringify({ id: lastId, method, params }));
    });
  await send("Runtime.enable");
  return {
    readHeapBytes: async () => (await send<{ usedSize: number }>("Runtime.getHeapUsage")).usedSize,
    send,
    close: () => socket.close(),
  };
}
