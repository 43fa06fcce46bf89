import type { LeaseRequest } from "../../src/workflow/budget/reserve-port.ts";
import { heldOf, leaseShare, takeSpend, type DaySpend, type Holder, type ShareAnswer } from "../../src/workflow/budget/tenant-account.ts";
import { MemoryBook } from "../workflow/budget/account-book.ts";
import type { TenantScenario } from "./scenario.ts";

/** Least time between two rounds in which others are asked to give back. */
const RECALL_GAP_MS = 1_000;
/** The workflow under test. */
const SELF: Holder = { id: "self", createdAt: 0 };

interface Other {
  holder: Holder;
  day: number;
  /** What it cannot give back: it is spent, or under way. */
  usedNanoUsd: number;
  spentNanoUsd: number;
  revision: number;
}

/** A tenant whose budget the workflow shares with others: the real account, in memory. */
export class TenantBudget {
  readonly #book = new MemoryBook();
  readonly #others: Other[] = [];
  /** Asks the workflow to give back what it does not need; null when it cannot be reached. */
  recall: () => readonly DaySpend[] | null = () => null;
  #recalledAt = -Infinity;
  /** The largest total that a question's answer could have had, by the question's revision. */
  readonly mostByRevision = new Map<number, number>();

  constructor(scenario: TenantScenario) {
    this.#book.budget = scenario.maxNanoUsd === null ? null : { maxNanoUsd: scenario.maxNanoUsd, period: scenario.period };
  }

  get isCapped(): boolean {
    return this.#book.budget !== null;
  }

  /** Answers the workflow. What others do not need they give back, and the workflow itself what it has left of other days. */
  answer({ day, neededNanoUsd, wantedNanoUsd, revision }: LeaseRequest, now: number): ShareAnswer {
    const request = { holder: SELF, day, neededNanoUsd, wantedNanoUsd, revision, expiresAt: null };
    let answer = leaseShare(this.#book, request);
    if (answer.kind === "leased" && answer.mayGrow && now - this.#recalledAt >= RECALL_GAP_MS) {
      this.#recalledAt = now;
      for (const other of this.#others) this.#tellOf(other);
      this.take(this.recall()?.filter((spend) => spend.day !== day) ?? []);
      answer = leaseShare(this.#book, request);
    }
    if (answer.kind === "leased") this.mostByRevision.set(revision, answer.mostNanoUsd);
    return answer;
  }

  /** Takes what the workflow tells. */
  take(told: readonly DaySpend[]): void {
    for (const spend of told) takeSpend(this.#book, SELF, spend);
  }

  /** Another workflow leases, if it can, and uses all that it got; the returned function ends it. */
  lend(day: number, wantedNanoUsd: number, usedShare: number): (spentShare: number) => void {
    const holder = { id: `other-${this.#others.length}`, createdAt: 0 };
    const request = { holder, day, neededNanoUsd: wantedNanoUsd, wantedNanoUsd, revision: 1, expiresAt: null };
    let answer = leaseShare(this.#book, request);
    if (answer.kind === "leased" && answer.mayGrow) {
      this.take(this.recall() ?? []);
      answer = leaseShare(this.#book, request);
    }
    const leasedNanoUsd = answer.kind === "leased" ? answer.leasedNanoUsd : 0;
    const other: Other = { holder, day, usedNanoUsd: Math.floor(leasedNanoUsd * usedShare), spentNanoUsd: 0, revision: 1 };
    this.#others.push(other);
    return (spentShare) => {
      other.spentNanoUsd = Math.floor(other.usedNanoUsd * spentShare);
      other.usedNanoUsd = other.spentNanoUsd;
      this.#tellOf(other);
    };
  }

  /** The same of all days. */
  get heldBySelfInAll(): number {
    return [...this.#book.days.keys()].reduce((sum, day) => sum + this.heldBySelf(day), 0);
  }

  /** What the account takes the workflow to hold of a day. */
  heldBySelf(day: number): number {
    const entry = this.#book.readEntry(SELF, day);
    return entry === null ? 0 : heldOf(entry);
  }

  #tellOf(other: Other): void {
    other.revision += 1;
    takeSpend(this.#book, other.holder, { day: other.day, spentNanoUsd: other.spentNanoUsd, leasedNanoUsd: other.usedNanoUsd, revision: other.revision });
  }
}
