/** Requests that wait for the end of a workflow, by when it was made: another may take its id. */
export class EndWaiters {
  readonly #waiting = new Map<() => void, number>();

  /** Settles at the end of the workflow that was made at `createdAt` (Unix ms), or after `waitMs`. */
  wait(createdAt: number, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#waiting.set(end, createdAt);
    });
  }

  /** That workflow is over. */
  wake(createdAt: number): void {
    this.#waiting.forEach((waitingFor, end) => {
      if (waitingFor === createdAt) end();
    });
  }

  /** There is nothing to wait for any more, whichever workflow it was. */
  wakeAll(): void {
    this.#waiting.forEach((_waitingFor, end) => end());
  }
}
