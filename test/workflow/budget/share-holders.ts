import { leaseShare, takeSpend, type DaySpend, type Holder, type ShareAnswer } from "../../../src/workflow/budget/tenant-account.ts";
import type { MemoryBook } from "./account-book.ts";

/** What a workflow knows of one day, by the rules of the port. */
interface KnownDay {
  leased: number;
  spent: number;
  reserved: number;
}

interface TestHolder {
  holder: Holder;
  days: Map<number, KnownDay>;
  revision: number;
}

type Message =
  | { kind: "ask"; holder: number; day: number; needed: number; wanted: number; revision: number }
  | { kind: "answer"; holder: number; day: number; revision: number; answer: ShareAnswer }
  | { kind: "tell"; holder: number; told: DaySpend };

/** Workflows that lease from one account over a network that loses, repeats and reorders. */
export class ShareWorld {
  readonly book: MemoryBook;
  readonly holders: TestHolder[];
  network: Message[] = [];
  /** Runs a lease: a test looks at the account before and after. */
  onLease: (lease: () => void, day: number) => void = (lease) => lease();

  constructor(book: MemoryBook, holders: number) {
    this.book = book;
    this.holders = Array.from({ length: holders }, (_, index) => ({ holder: { id: `w${index}`, createdAt: 1 }, days: new Map(), revision: 0 }));
  }

  dayOf(index: number, day: number): KnownDay {
    const { days } = this.holders[index]!;
    const known = days.get(day) ?? { leased: 0, spent: 0, reserved: 0 };
    days.set(day, known);
    return known;
  }

  ask(index: number, day: number, more: number, extra: number): void {
    const { spent, reserved } = this.dayOf(index, day);
    const needed = spent + reserved + more;
    this.network.push({ kind: "ask", holder: index, day, needed, wanted: needed + extra, revision: this.#nextRevision(index) });
  }

  /** Holds as much as fits its lease. */
  reserve(index: number, day: number, amount: number): void {
    const known = this.dayOf(index, day);
    known.reserved += Math.max(0, Math.min(amount, known.leased - known.spent - known.reserved));
  }

  /** Ends the calls of a day, which cost a part of what was held, or more than that. */
  settle(index: number, day: number, share: number, overrun: number): void {
    const known = this.dayOf(index, day);
    known.spent += Math.floor(known.reserved * share) + overrun;
    known.reserved = 0;
  }

  /** A report that came late makes something cheaper. */
  correct(index: number, day: number, share: number): void {
    const known = this.dayOf(index, day);
    known.spent -= Math.floor(known.spent * share);
  }

  trim(index: number, day: number): void {
    const known = this.dayOf(index, day);
    known.leased = Math.max(0, Math.min(known.leased, known.spent + known.reserved));
  }

  tell(index: number, day: number): void {
    const { leased, spent } = this.dayOf(index, day);
    this.network.push({ kind: "tell", holder: index, told: { day, leasedNanoUsd: leased, spentNanoUsd: spent, revision: this.#nextRevision(index) } });
  }

  /** Delivers one message, which may stay in the network to come again. */
  deliver(at: number, isRepeated: boolean): void {
    const message = this.network[at % Math.max(1, this.network.length)];
    if (message === undefined) return;
    if (!isRepeated) this.lose(at);
    this.#take(message);
  }

  lose(at: number): void {
    this.network.splice(at % Math.max(1, this.network.length), 1);
  }

  #take(message: Message): void {
    const { holder } = this.holders[message.holder]!;
    if (message.kind === "tell") takeSpend(this.book, holder, message.told);
    if (message.kind === "answer") this.#takeAnswer(message);
    if (message.kind !== "ask") return;
    const { day, needed, wanted, revision } = message;
    this.onLease(() => {
      const answer = leaseShare(this.book, { holder, day, neededNanoUsd: needed, wantedNanoUsd: wanted, revision, expiresAt: null });
      this.network.push({ kind: "answer", holder: message.holder, day, revision, answer });
    }, day);
  }

  #takeAnswer({ holder, day, revision, answer }: Extract<Message, { kind: "answer" }>): void {
    if (answer.kind === "unlimited" || this.holders[holder]!.revision !== revision) return;
    const known = this.dayOf(holder, day);
    known.leased = Math.max(known.leased, answer.leasedNanoUsd);
  }

  #nextRevision(index: number): number {
    return (this.holders[index]!.revision += 1);
  }
}
