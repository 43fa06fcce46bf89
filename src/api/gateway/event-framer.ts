/** The longest event that is put together before it is passed on: images come as text in one. Beyond it pieces go on as they are. */
export const MAX_EVENT_BYTES = 4_194_304;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Cuts a stream of bytes into whole server-sent events, as many at once as have arrived. */
export interface EventFramer {
  /** The events that are complete now; null while none is. */
  push: (chunk: Uint8Array) => Uint8Array | null;
  /** What is left at the end, with the last bytes behind it; null when nothing is. */
  flush: (last: Uint8Array) => Uint8Array | null;
}

export function createEventFramer(maxEventBytes: number = MAX_EVENT_BYTES): EventFramer {
  let held: Uint8Array | null = null;
  return {
    push(chunk) {
      if (chunk.byteLength === 0) return null;
      const bytes = held === null ? chunk : join(held, chunk);
      // A blank line may begin in what is held: three bytes are as much of it as can be there.
      const end = endOfEvents(bytes, held === null ? 0 : Math.max(0, held.byteLength - 3));
      held = null;
      if (end === bytes.byteLength || (end === 0 && bytes.byteLength > maxEventBytes)) return bytes;
      held = end === 0 ? bytes : bytes.subarray(end);
      return end === 0 ? null : bytes.subarray(0, end);
    },
    flush(last) {
      const rest = held === null ? last : join(held, last);
      held = null;
      return rest.byteLength === 0 ? null : rest;
    },
  };
}

/** The position after the last blank line, looked for from the end on: mostly it is the end. 0 when there is none after `from`. */
function endOfEvents(bytes: Uint8Array, from: number): number {
  for (let end = bytes.byteLength; end > from + 1; end -= 1) {
    if (bytes[end - 1] !== LINE_FEED) continue;
    const before = bytes[end - 2];
    if (before === LINE_FEED || (before === CARRIAGE_RETURN && bytes[end - 3] === LINE_FEED)) return end;
  }
  return 0;
}

function join(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.byteLength + right.byteLength);
  joined.set(left);
  joined.set(right, left.byteLength);
  return joined;
}
