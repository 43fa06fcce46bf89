/** What will happen in simulated time, earliest first; what falls on the same instant happens in the order it was planned. */
export class Agenda {
  now = 0;
  #planned = 0;
  readonly #heap: { at: number; order: number; action: () => void }[] = [];

  after(delayMs: number, action: () => void): void {
    this.#planned += 1;
    this.#heap.push({ at: this.now + Math.max(0, Math.ceil(delayMs)), order: this.#planned, action });
    this.#rise(this.#heap.length - 1);
  }

  /** Does the next thing; false when nothing is left. */
  runNext(): boolean {
    const first = this.#heap[0];
    if (first === undefined) return false;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    this.now = first.at;
    first.action();
    return true;
  }

  #isBefore(left: number, right: number): boolean {
    const one = this.#heap[left]!;
    const other = this.#heap[right]!;
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  #swap(left: number, right: number): void {
    const kept = this.#heap[left]!;
    this.#heap[left] = this.#heap[right]!;
    this.#heap[right] = kept;
  }

  #rise(start: number): void {
    for (let child = start; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(start: number): void {
    for (let parent = start; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      if (least === parent) return;
      this.#swap(parent, least);
      parent = least;
    }
  }
}
