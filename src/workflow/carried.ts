/** What attempts under way carry of their dependencies' outputs, where it is much, and the sum. */
export interface Carried {
  /** Bytes, by task. */
  carried: Map<number, number>;
  carriedBytes: number;
}

interface Carriers {
  graph: { dependencies: readonly (readonly number[])[] };
  tasks: readonly { kind: string }[];
}

/**
 * What attempts under way may carry of their dependencies' outputs, together: each holds its own copy, in the object, in messages and where
 * it is called, and all of that shares 128 MiB. One that carries more (up to 8 MiB) starts when it is the only one.
 */
export const MAX_CARRIED_BYTES = 33_554_432;
/** What carries less is not counted: a thousand of those come to half of the limit. */
const LEAST_CARRIED_BYTES = 16_384;

/** What an attempt of this task carries, in bytes of JSON; 0 for little. O(its dependencies). */
export function measureCarried({ graph, tasks: plans }: Carriers, tasks: readonly { outputBytes: number | null }[], task: number): number {
  // The object itself evaluates transforms, one after the other.
  if (plans[task]!.kind === "transform") return 0;
  let bytes = 0;
  for (const dependency of graph.dependencies[task]!) bytes += tasks[dependency]!.outputBytes ?? 0;
  return bytes < LEAST_CARRIED_BYTES ? 0 : bytes;
}

/** Whether an attempt that carries so much may start beside those under way and others that start with it. */
export function mayCarry({ index }: { index: Carried }, bytes: number, otherBytes: number): boolean {
  const underWay = index.carriedBytes + otherBytes;
  return bytes === 0 || underWay === 0 || underWay + bytes <= MAX_CARRIED_BYTES;
}

export function takeUp(index: Carried, task: number, bytes: number): void {
  if (bytes === 0) return;
  index.carried.set(task, bytes);
  index.carriedBytes += bytes;
}

export function putDown(index: Carried, task: number): void {
  index.carriedBytes -= index.carried.get(task) ?? 0;
  index.carried.delete(task);
}
