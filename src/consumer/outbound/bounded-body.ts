/** The start of a body as text, and whether there was more of it. */
export interface BoundedBody {
  text: string;
  truncated: boolean;
}

/** Reads at most `maxBytes` (after decompression) and cancels the rest. Rejects when the connection breaks. */
export async function readBoundedBody(response: Response, maxBytes: number): Promise<BoundedBody> {
  // The runtime holds a body to its declared length, unless it was compressed; most answers are small, and this is the faster way to read them.
  const declared = Number(response.headers.get("content-length") ?? NaN);
  if (declared <= maxBytes && !response.headers.has("content-encoding")) return { text: await response.text(), truncated: false };
  if (response.body === null) return { text: "", truncated: false };
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytesLeft = maxBytes;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), truncated: false };
    if (value.byteLength > bytesLeft) {
      await discard(() => reader.cancel());
      return { text: text + decoder.decode(value.subarray(0, bytesLeft)), truncated: true };
    }
    bytesLeft -= value.byteLength;
    text += decoder.decode(value, { stream: true });
  }
}

/** Frees the connection of an answer whose body nobody reads. */
export async function discardBody(response: Response): Promise<void> {
  await discard(() => response.body?.cancel() ?? Promise.resolve());
}

/** Cancelling a stream that broke meanwhile rejects; there is nothing left to free then. */
async function discard(cancel: () => Promise<void>): Promise<void> {
  await cancel().catch(() => undefined);
}
