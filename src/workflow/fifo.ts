/** A first-in-first-out list whose `take` does not move what is behind it. */
export interface Fifo {
  items: number[];
  head: number;
}

export function createFifo(): Fifo {
  return { items: [], head: 0 };
}

export function takeFirst(fifo: Fifo): number | undefined {
  if (fifo.head >= fifo.items.length) return undefined;
  const item = fifo.items[fifo.head];
  fifo.head += 1;
  if (fifo.head === fifo.items.length) {
    fifo.items.length = 0;
    fifo.head = 0;
  }
  return item;
}

/** Gives back what was taken last: it is the first again. */
export function putFirst(fifo: Fifo, item: number): void {
  if (fifo.head === 0) {
    fifo.items.unshift(item);
    return;
  }
  fifo.head -= 1;
  fifo.items[fifo.head] = item;
}
