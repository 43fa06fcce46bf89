import { openLedger } from "../../src/workflow/budget/ledger.ts";
import { nameCall } from "../../src/workflow/budget/reservations.ts";
import type { Run } from "../../src/workflow/run.ts";
import { describeBooks } from "../workflow/budget/same-books.ts";
import type { Provider } from "./provider.ts";
import type { Store } from "./store.ts";
import type { TenantBudget } from "./tenant-budget.ts";
import { mustHold } from "./violation.ts";

const UNITS = ["nanoUsd", "tokens"] as const;

/** Books opened from what is stored are the ones that were kept, at any time. O(calls). */
export function checkStoredBooks({ ledger, state }: Run, store: Store): void {
  const stored = JSON.stringify(describeBooks(openLedger(ledger.cap, ledger.taskCaps, { ...store.books.read(), leases: state.budget.leases })));
  const kept = JSON.stringify(describeBooks(ledger));
  mustHold(stored === kept, "books opened from what is stored are the ones that were kept", () => `${kept}, stored ${stored}`);
}

/** What the workflow may spend of its tenant's budget, and what it spends, is never more than the tenant takes it to hold. */
export function checkLeases({ ledger }: Run, account: TenantBudget): void {
  for (const [day, { spentNanoUsd, reservedNanoUsd, leasedNanoUsd }] of ledger.days) {
    const most = Math.max(leasedNanoUsd ?? 0, spentNanoUsd + reservedNanoUsd);
    mustHold(most <= account.heldBySelf(day), "the workflow holds no more of its tenant's budget than the tenant knows of", () => `${most} of ${account.heldBySelf(day)} on ${day}`);
  }
}

/** Once all is quiet: nothing is held, and the books have the provider's record, to the nano-dollar where a report came. */
export function checkCalls(run: Run, store: Store, provider: Provider, allowsOverrun: boolean): void {
  const { ledger } = run;
  const { bills } = store.books;
  mustHold(ledger.open.size === 0 && ledger.workflow.reserved.nanoUsd === 0 && ledger.workflow.reserved.tokens === 0, "nothing is held at the end", () => JSON.stringify([...ledger.open.values()]));
  for (const [name, served] of provider.served) {
    const isCovered = UNITS.every((unit) => (bills.get(name)?.[unit] ?? 0) >= served[unit]);
    mustHold(isCovered || allowsOverrun, "the books are never below what the provider served", () => `${name}: ${JSON.stringify([bills.get(name), served])}`);
  }
  for (const [name, bill] of provider.delivered) {
    const isEqual = UNITS.every((unit) => bills.get(name)?.[unit] === bill[unit]);
    mustHold(isEqual, "the books have exactly what was reported", () => `${name}: ${JSON.stringify([bills.get(name), bill])}`);
  }
  for (const bill of bills.values()) {
    const reported = provider.reported.get(`${bill.task}.${bill.attempt}`);
    mustHold(reported?.has(nameCall(bill)) ?? true, "nothing stays billed that a report knows nothing of", () => nameCall(bill));
  }
  for (const unit of UNITS) {
    const sum = [...bills.values()].reduce((total, bill) => total + bill[unit], 0);
    mustHold(ledger.workflow.spent[unit] === sum, "what is spent is the sum of all bills", () => `${ledger.workflow.spent[unit]}, not ${sum} ${unit}`);
  }
}
