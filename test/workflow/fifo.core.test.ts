import { expect, test } from "vitest";
import { createFifo, takeFirst } from "../../src/workflow/fifo.ts";

test("items leave in the order they came, also when some come in between", () => {
  const fifo = createFifo();
  fifo.items.push(1, 2);
  expect(takeFirst(fifo)).toBe(1);
  fifo.items.push(3);
  expect([takeFirst(fifo), takeFirst(fifo), takeFirst(fifo)]).toEqual([2, 3, undefined]);
});

test("an emptied list holds on to nothing", () => {
  const fifo = createFifo();
  for (let item = 0; item < 1_000; item += 1) {
    fifo.items.push(item);
    takeFirst(fifo);
  }
  expect(fifo).toEqual({ items: [], head: 0 });
});
