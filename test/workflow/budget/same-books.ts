import type { Ledger } from "../../../src/workflow/budget/ledger.ts";
import { nameCall, type Reservation } from "../../../src/workflow/budget/reservations.ts";

/** All that follows from what is stored of the books, in one order; accounts that nothing moved are left out. */
export function describeBooks({ workflow, tasks, days, open, assumed, settled }: Ledger): object {
  const listAccounts = <Account extends object>(accounts: Map<number, Account>): [number, Account][] =>
    [...accounts].filter(([, account]) => /[1-9]/.test(JSON.stringify(account))).sort(([one], [other]) => one - other);
  const listCalls = (calls: Map<number, Reservation[]>): string[] => [...calls.values()].flat().map((held) => `${nameCall(held)}: ${held.nanoUsd}, ${held.tokens} on ${held.day} until ${held.expiresAt}`).sort();
  return { workflow, tasks: listAccounts(tasks), days: listAccounts(days), open: listCalls(open), assumed: listCalls(assumed), settled: [...settled].sort() };
}
