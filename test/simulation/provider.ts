import type { Amount } from "../../src/workflow/budget/amount.ts";
import type { Bill } from "../../src/workflow/budget/ledger.ts";
import { nameCall, type CallRef } from "../../src/workflow/budget/reservations.ts";
import type { RunInput } from "../../src/workflow/transition.ts";

/** The other side's own record of what it served, and which bills have reached the workflow's books. */
export class Provider {
  readonly served = new Map<string, Amount>();
  /** Bills that were committed, by the call's name. */
  readonly delivered = new Map<string, Amount>();
  /** Attempts whose report was committed, with the names of the calls that it billed. */
  readonly reported = new Map<string, ReadonlySet<string>>();

  serve(ref: CallRef, { nanoUsd, tokens }: Amount): void {
    this.served.set(nameCall(ref), { nanoUsd, tokens });
  }

  /** To be called with every input that was committed. */
  noteCommitted(input: RunInput): void {
    if (input.type === "reserve") for (const request of input.requests) this.#deliver(request, request.bills);
    if (input.type !== "report") return;
    for (const report of input.reports) {
      if (report.result?.status === "waiting") continue;
      this.#deliver(report, report.bills ?? []);
      this.reported.set(`${report.task}.${report.attempt}`, new Set((report.bills ?? []).map(({ call }) => nameCall({ ...report, call }))));
    }
  }

  #deliver({ task, attempt }: { task: number; attempt: number }, bills: readonly Bill[]): void {
    for (const { call, nanoUsd, tokens } of bills) this.delivered.set(nameCall({ task, attempt, call }), { nanoUsd, tokens });
  }
}
