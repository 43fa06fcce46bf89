import { CallLost } from "./object.ts";
import type { World } from "./world.ts";

const RETRY_MS = 1_000;

/** The object's one alarm: fires at least once, sometimes late, again after a handler that died; it also wakes a dead object. */
export class Alarm {
  readonly #world: World;
  readonly #clock: () => number;
  /** Planned firings of an earlier setting are void. */
  #setting = 0;

  constructor(world: World, clock: () => number) {
    this.#world = world;
    this.#clock = clock;
  }

  /** To be called whenever the stored time or the clock changed. */
  arm(): void {
    const { store, agenda, random } = this.#world;
    this.#setting += 1;
    if (store.armedAt === Infinity) return;
    const setting = this.#setting;
    const lateMs = this.#world.strikes("lateAlarm") ? random.between(0, 20_000) : 0;
    agenda.after(store.armedAt - this.#clock() + lateMs, () => this.#fire(setting));
  }

  #fire(setting: number): void {
    if (setting !== this.#setting) return;
    if (this.#clock() < this.#world.store.armedAt) return this.arm();
    try {
      this.#world.object.call({ type: "tick" });
      if (this.#world.strikes("repeatAlarm")) this.#world.object.call({ type: "tick" });
    } catch (error) {
      if (!(error instanceof CallLost)) throw error;
    }
    if (setting === this.#setting && this.#world.store.armedAt <= this.#clock()) this.#world.agenda.after(RETRY_MS, () => this.#fire(setting));
  }
}
