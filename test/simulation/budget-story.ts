import type { EventData, LoggedEvent } from "../../src/workflow/events.ts";
import type { Amount, Cap } from "../../src/workflow/budget/amount.ts";
import type { Run } from "../../src/workflow/run.ts";
import { mustHold } from "./violation.ts";

const RULE = "the budget events tell what the books hold";
const NANO = 1_000_000_000;

type BudgetData = EventData["budget.reserved"];
const UNITS = ["nanoUsd", "tokens"] as const;

/** The workflow's budget as somebody sees it who reads nothing but its events. They do not name the call of an attempt: what is freed tells which it was. */
export class BudgetStory {
  readonly #cap: Cap;
  readonly #allowsOverrun: boolean;
  readonly #held = new Map<string, Amount[]>();
  #spent: Amount = { nanoUsd: 0, tokens: 0 };
  #reserved: Amount = { nanoUsd: 0, tokens: 0 };
  #warned = 0;

  constructor(cap: Cap, allowsOverrun: boolean) {
    this.#cap = cap;
    this.#allowsOverrun = allowsOverrun;
  }

  read(event: LoggedEvent): void {
    switch (event.type) {
      case "budget.reserved":
        return this.#readReserved(event.data);
      case "budget.settled":
        return this.#readSettled(event.data);
      case "budget.warning":
        mustHold(event.data.percent > this.#warned, "each mark is warned of once", () => `${event.data.percent} after ${this.#warned}`);
        this.#warned = event.data.percent;
        mustHold(this.#percent() >= event.data.percent, "no mark is warned of before it is passed", () => `${event.data.percent} at ${this.#percent()}`);
        return;
      case "budget.overrun":
        mustHold(this.#allowsOverrun, "no overrun is told of where calls bill what they may", () => JSON.stringify(event));
    }
  }

  checkAgainst(run: Run): void {
    const { spent, reserved } = run.ledger.workflow;
    const isEqual = UNITS.every((unit) => spent[unit] === this.#spent[unit] && reserved[unit] === this.#reserved[unit]);
    mustHold(isEqual, RULE, () => `told ${JSON.stringify([this.#spent, this.#reserved])}, are ${JSON.stringify([spent, reserved])}`);
    const due = [50, 80, 95].filter((mark) => mark > this.#warned && this.#percent() >= mark);
    mustHold(due.length === 0, "a mark that is passed is warned of", () => `${due} at ${this.#percent()}`);
  }

  #readReserved(data: BudgetData): void {
    const amount = { nanoUsd: toNano(data.usd), tokens: data.tokens };
    const held = this.#held.get(nameOf(data)) ?? [];
    const before = this.#reserved;
    this.#readTotals(data);
    const added = { nanoUsd: this.#reserved.nanoUsd - before.nanoUsd, tokens: this.#reserved.tokens - before.tokens };
    // What was held for the same call before is held no more.
    const place = held.findIndex((other) => UNITS.every((unit) => added[unit] === amount[unit] - other[unit]));
    const isNew = UNITS.every((unit) => added[unit] === amount[unit]);
    mustHold(isNew || place >= 0, RULE, () => JSON.stringify(data));
    this.#held.set(nameOf(data), [...(isNew ? held : held.toSpliced(place, 1)), amount]);
  }

  #readSettled(data: BudgetData): void {
    const held = this.#held.get(nameOf(data)) ?? [];
    const before = this.#reserved;
    this.#readTotals(data);
    const freed = { nanoUsd: before.nanoUsd - this.#reserved.nanoUsd, tokens: before.tokens - this.#reserved.tokens };
    const place = held.findIndex(({ nanoUsd, tokens }) => nanoUsd === freed.nanoUsd && tokens === freed.tokens);
    mustHold(place >= 0 || (freed.nanoUsd === 0 && freed.tokens === 0), RULE, () => `${JSON.stringify(freed)} of ${JSON.stringify(held)}: ${JSON.stringify(data)}`);
    this.#held.set(nameOf(data), place < 0 ? held : held.toSpliced(place, 1));
  }

  #readTotals({ workflow }: BudgetData): void {
    this.#spent = { nanoUsd: toNano(workflow.spentUsd), tokens: workflow.spentTokens };
    this.#reserved = { nanoUsd: toNano(workflow.reservedUsd), tokens: workflow.reservedTokens };
    for (const unit of UNITS) {
      const isWithin = this.#allowsOverrun || this.#spent[unit] + this.#reserved[unit] <= (this.#cap[unit] ?? Infinity);
      mustHold(isWithin, "spent + reserved is within the cap at every instant, by the log alone", () => `${this.#spent[unit]} + ${this.#reserved[unit]} ${unit} of ${this.#cap[unit]}`);
    }
  }

  #percent(): number {
    return Math.max(...UNITS.map((unit) => ((this.#cap[unit] ?? 0) === 0 ? 0 : (this.#spent[unit] / this.#cap[unit]!) * 100)));
  }
}

function nameOf({ taskId, attempt }: BudgetData): string {
  return `${taskId}#${attempt}`;
}

function toNano(usd: number): number {
  return Math.round(usd * NANO);
}
