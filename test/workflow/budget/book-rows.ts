import type { Amount } from "../../../src/workflow/budget/amount.ts";
import type { LedgerEntry, StoredBooks } from "../../../src/workflow/budget/ledger.ts";
import { nameCall, type CallRef, type Reservation } from "../../../src/workflow/budget/reservations.ts";

/** What a store keeps of the books, entry by entry, and rebuilds them from: rows of reservations and of bills. */
export class BookRows {
  readonly open = new Map<string, Reservation>();
  readonly assumed = new Map<string, Reservation>();
  readonly bills = new Map<string, CallRef & Amount & { day: number }>();

  enter(entry: LedgerEntry): void {
    const { kind, task, attempt, call, day, reserved, spent, expiresAt } = entry;
    const name = nameCall(entry);
    const held = this.open.get(name);
    const billed = this.bills.get(name) ?? { nanoUsd: 0, tokens: 0 };
    switch (kind) {
      case "reserve":
        this.open.set(name, { task, attempt, call, day, ...reserved, expiresAt });
        return;
      case "resize":
        this.open.set(name, { ...held!, nanoUsd: held!.nanoUsd + reserved.nanoUsd, tokens: held!.tokens + reserved.tokens });
        return;
      case "orphan":
        this.open.set(name, { ...held!, expiresAt });
        return;
      case "assume":
        this.assumed.set(name, held!);
        break;
      case "correct":
      case "retract":
        this.assumed.delete(name);
        break;
    }
    this.open.delete(name);
    if (kind === "retract") this.bills.delete(name);
    else if (kind !== "release") this.bills.set(name, { task, attempt, call, day, nanoUsd: billed.nanoUsd + spent.nanoUsd, tokens: billed.tokens + spent.tokens });
  }

  read(): Omit<StoredBooks, "leases"> {
    const copy = <Row extends object>(rows: Map<string, Row>): Row[] => [...rows.values()].map((row) => ({ ...row }));
    return { open: copy(this.open), assumed: copy(this.assumed), bills: copy(this.bills) };
  }
}
