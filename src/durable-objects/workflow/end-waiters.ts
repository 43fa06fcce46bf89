/** Requests that wait for the end of a workflow. */
export class EndWaiters {
  readonly #waiting = new Set<() => void>();

  /** Settles at the end, or after `waitMs`. */
  wait(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#waiting.add(end);
    });
  }

  wake(): void {
    this.#waiting.forEach((end) => end());
  }
}
