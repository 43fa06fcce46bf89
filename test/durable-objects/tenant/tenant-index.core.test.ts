import { expect, test, vi } from "vitest";
import type { IndexEntry } from "../../../src/api/ports/tenant-port.ts";
import { TenantIndex } from "../../../src/durable-objects/tenant/tenant-index.ts";

/** An index over a store that may be full, at a time that stands still: an entry that follows another gathers. */
function openIndex() {
  const store = { isFull: false, stored: [] as string[] };
  const index = new TenantIndex(
    {
      transaction: (work) => {
        if (store.isFull) throw new Error("the disk is full");
        return work();
      },
      workflows: { put: ({ summary }) => void store.stored.push(summary.id) },
    },
    { tell: () => undefined },
    () => 1_000,
  );
  const take = (id: string): Promise<void> => index.take({ summary: { id, createdAt: "2026-01-01T00:00:00.000Z" } } as IndexEntry);
  return { store, index, take };
}

test("entries that gather are stored together, before whatever is read", async () => {
  const { store, index, take } = openIndex();
  await take("alone");
  const gathered = [take("a"), take("b")];
  expect(store.stored).toEqual(["alone"]);
  index.flush();
  expect(store.stored).toEqual(["alone", "a", "b"]);
  await Promise.all(gathered);
});

test("an entry that a list could not store is told to its workflow, which tells it again", async () => {
  const { store, index, take } = openIndex();
  await take("alone");
  const gathered = take("a");
  store.isFull = true;
  expect(() => index.flush()).toThrow("full");
  await expect(gathered).rejects.toThrow("full");
  store.isFull = false;
  await take("a");
  expect(store.stored).toEqual(["alone", "a"]);
});

test("an entry that a later batch follows does not store that one before its time", async () => {
  vi.useFakeTimers();
  const { store, index, take } = openIndex();
  await take("alone");
  const first = take("a");
  vi.advanceTimersByTime(2);
  index.flush();
  const second = take("b");
  vi.advanceTimersByTime(3);
  expect(store.stored).toEqual(["alone", "a"]);
  vi.advanceTimersByTime(1);
  await Promise.all([first, second]);
  expect(store.stored).toEqual(["alone", "a", "b"]);
  vi.useRealTimers();
});
