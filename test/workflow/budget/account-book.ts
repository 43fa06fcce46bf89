import type { TenantBudget } from "../../../src/config/tenant-record.ts";
import { heldOf, type AccountBook, type AccountEntry, type DaySums, type Holder } from "../../../src/workflow/budget/tenant-account.ts";

/** An account in memory, which also keeps what was settled for good. */
export class MemoryBook implements AccountBook {
  budget: TenantBudget | null = null;
  readonly entries = new Map<string, AccountEntry>();
  readonly days = new Map<number, DaySums>();

  readBudget = (): TenantBudget | null => this.budget;

  readEntry = (holder: Holder, day: number): AccountEntry | null => this.entries.get(nameEntry(holder, day)) ?? null;

  writeEntry = (holder: Holder, day: number, entry: AccountEntry): void => void this.entries.set(nameEntry(holder, day), entry);

  deleteEntry = (holder: Holder, day: number): void => void this.entries.delete(nameEntry(holder, day));

  addToDay = (day: number, { heldNanoUsd, spentNanoUsd }: DaySums): void => {
    const sums = this.days.get(day) ?? { heldNanoUsd: 0, spentNanoUsd: 0 };
    this.days.set(day, { heldNanoUsd: sums.heldNanoUsd + heldNanoUsd, spentNanoUsd: sums.spentNanoUsd + spentNanoUsd });
  };

  sumDays = (firstDay: number, lastDay: number): DaySums => {
    const sums = { heldNanoUsd: 0, spentNanoUsd: 0 };
    for (const [day, { heldNanoUsd, spentNanoUsd }] of this.days) {
      if (day < firstDay || day > lastDay) continue;
      sums.heldNanoUsd += heldNanoUsd;
      sums.spentNanoUsd += spentNanoUsd;
    }
    return sums;
  };

  /** What the entries of a day come to. */
  addUp(day: number): DaySums {
    const entries = [...this.entries].filter(([name]) => name.endsWith(`/${day}`)).map(([, entry]) => entry);
    return {
      heldNanoUsd: entries.reduce((sum, entry) => sum + heldOf(entry), 0),
      spentNanoUsd: entries.reduce((sum, entry) => sum + entry.spentNanoUsd, 0),
    };
  }
}

function nameEntry({ id, createdAt }: Holder, day: number): string {
  return `${id}@${createdAt}/${day}`;
}
