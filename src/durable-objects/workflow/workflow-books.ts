import type { AttemptCall, AttemptRef, ReserveCall } from "../../consumer/work-order.ts";
import { cellOfCall, createSums, subtractSums, type StatsCell } from "../../optimizer/call-stats.ts";
import type { Bill, LedgerEntry } from "../../workflow/budget/ledger.ts";
import { nameCall, type CallRef } from "../../workflow/budget/reservations.ts";
import type { ReserveReply, ReserveRequest } from "../../workflow/budget/reserve-port.ts";
import type { WorstCall } from "./stores/call-store.ts";
import type { Totals, WorkflowStore } from "./stores/workflow-store.ts";

/** Keeps what the core enters into the books: lines of calls, what is held, the workflow's totals and the cells of its statistics. */
export class WorkflowBooks {
  readonly #store: WorkflowStore;
  readonly #totals: Totals;
  readonly #agentNames: readonly string[];
  /** Bills of reports in this transaction, by the call's name. */
  readonly #bills = new Map<string, AttemptCall>();
  /** What waiting and granted reserves stand for, until they are answered. */
  readonly #worst = new Map<string, WorstCall>();
  #cells: StatsCell[] = [];
  #isChanged = false;

  constructor(store: WorkflowStore, totals: Totals, agentNames: readonly string[]) {
    this.#store = store;
    this.#totals = totals;
    this.#agentNames = agentNames;
  }

  /** The core's view of a request, whose line is kept for the case that nobody reports the call. */
  takeReserve(request: ReserveCall): ReserveRequest {
    const { task, attempt, workflowCreatedAt: _of, calls, ...worst } = request;
    this.#worst.set(nameCall(request), worst);
    return { task, attempt, call: request.call, nanoUsd: request.costNanoUsd, tokens: request.inputTokens + request.outputTokens, bills: this.takeBills({ task, attempt }, calls) };
  }

  /** The core's view of an attempt's calls. */
  takeBills({ task, attempt }: AttemptRef, calls: readonly AttemptCall[]): Bill[] {
    return calls.map((call) => {
      this.#bills.set(nameCall({ task, attempt, call: call.call }), call);
      return { call: call.call, nanoUsd: call.costNanoUsd, tokens: call.inputTokens + call.outputTokens, isOverCap: call.isOverCap };
    });
  }

  /** Stores entries. What they add to totals and statistics is saved at the end of the transaction. */
  enter(entries: readonly LedgerEntry[], now: number): void {
    for (const entry of entries) {
      const name = nameCall(entry);
      const worst = this.#worst.get(name) ?? (entry.kind === "reserve" ? this.#worstOfAgent(entry) : null);
      const { added, removed } = this.#store.calls.enter(entry, this.#bills.get(name) ?? null, worst, now);
      if (removed !== null) this.#count(removed, -1);
      if (added !== null) this.#count(added, 1);
      this.#isChanged ||= entry.kind !== "orphan";
    }
  }

  /** Forgets what answered reserves stood for. */
  forget(replies: readonly ReserveReply[]): void {
    for (const { ref } of replies) this.#worst.delete(nameCall(ref));
  }

  /** Saves totals and statistics; answers whether the tenant is to learn of anything. */
  save(routeCells: readonly StatsCell[]): boolean {
    const cells = [...this.#cells, ...routeCells];
    if (this.#cells.length > 0) this.#store.write("totals", this.#totals);
    if (cells.length > 0) this.#store.stats.add(cells);
    const hasNews = cells.length > 0 || this.#isChanged;
    this.#cells = [];
    this.#bills.clear();
    this.#isChanged = false;
    return hasNews;
  }

  #count(call: AttemptCall, sign: 1 | -1): void {
    const cell = cellOfCall(call, call);
    this.#cells.push(sign === 1 ? cell : { ...cell, sums: subtractSums(createSums(), cell.sums) });
    for (const name of ["inputTokens", "outputTokens", "costNanoUsd", "baselineNanoUsd"] as const) this.#totals[name] += sign * call[name];
  }

  /** What the whole budget of a task stands for whose agent prices its own work. */
  #worstOfAgent({ task, call, reserved }: LedgerEntry & CallRef): WorstCall {
    return { call, provider: "http", model: this.#agentNames[task]!, tier: null, taskType: null, inputTokens: reserved.tokens, outputTokens: 0, costNanoUsd: reserved.nanoUsd, baselineNanoUsd: reserved.nanoUsd };
  }
}
