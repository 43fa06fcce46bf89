import type { Mutant } from "./mutants.ts";

function mutant(name: string, file: string, from: string, to: string): Mutant {
  return { name, edits: [{ file, from, to }] };
}

/** Faults in the books, in who may have what, and in what the tenant is asked. */
export const BUDGET_MUTANTS: readonly Mutant[] = [
  mutant("settles without releasing", "budget/ledger.ts", "negate(held ?? NOTHING), bill)", "NOTHING, bill)"),
  mutant("releases twice", "budget/ledger.ts", `enter(ledger, "release", ref, held.day, negate(held), NOTHING)`, `enter(ledger, "release", ref, held.day, negate({ nanoUsd: 2 * held.nanoUsd, tokens: 2 * held.tokens }), NOTHING)`),
  mutant("bills a repeated report again", "budget/ledger.ts", "  if (ledger.settled.has(name)) return null;\n", ""),
  mutant("adds a correction to what it should replace", "budget/ledger.ts", "const change = { nanoUsd: bill.nanoUsd - assumed.nanoUsd, tokens: bill.tokens - assumed.tokens };", "const change = { nanoUsd: bill.nanoUsd, tokens: bill.tokens };"),
  mutant("bills on the day of the report", "budget/ledger.ts", "held?.day ?? today", "today"),
  mutant("ignores a task's cap", "budget/ledger.ts", "  if (cap !== undefined) yield { account: accountOfTask(ledger, task), cap };\n", ""),
  mutant("ignores tokens", "budget/ledger.ts", `    for (const unit of ["nanoUsd", "tokens"] as const) {
      const most = cap[unit];
      // What`, `    for (const unit of ["nanoUsd"] as const) {
      const most = cap[unit];
      // What`),
  mutant("grants what others hold", "budget/ledger.ts", `> most) verdict = "waits";`, `> 2 * most) verdict = "waits";`),
  mutant("keeps waiting for what can never fit", "budget/ledger.ts", `if (account.spent[unit] + need[unit] > most) return "never";`, `if (account.spent[unit] + need[unit] > most) verdict = "waits";`),
  mutant("opens the books without what is held", "budget/ledger.ts", "    move(ledger, reservation.task, reservation.day, reservation, NOTHING);\n", ""),
  mutant("opens the books without what was assumed", "budget/ledger.ts", "  for (const reservation of books.assumed) addReservation(ledger.assumed, { ...reservation });\n", ""),
  mutant("forgets the calls of an attempt that nobody reports", "settle-task.ts", "    else orphanCalls(step, ref, state.leaseUntil);\n", ""),
  mutant("holds for ever what nobody reports", "transition.ts", "      settleUnreported(step, step.now);\n", ""),
  mutant("does not wake for what is held after the end", "transition.ts", "      return wakeAt(step, nextExpiryAt(step.run.ledger));", "      return;"),
  mutant("takes an attempt that waits for a callback for over", "attempts.ts", "  state.status = \"waiting\";\n", "  detachAttempt(step, task);\n  step.run.index.live.add(task);\n  state.status = \"waiting\";\n"),
  mutant("lets attempts that nobody claimed bill", "settle-task.ts", `    if (state.status === "queued") closeCalls(step, ref, [], Infinity);
    else orphanCalls`, "    orphanCalls"),
  mutant("keeps an assumed bill that the report does not have", "budget/budget.ts", "(release(ledger, call) ?? retract(ledger, call))", "release(ledger, call)"),
  mutant("frees what is held for the call that is asked for again", "budget/reserve.ts", "closeCalls(step, request, request.bills, request.call);", "closeCalls(step, request, request.bills, Infinity);"),
  mutant("does not hear the bills of a late reserve", "budget/reserve.ts", "    closeCalls(step, request, request.bills, request.call);", "    if (isLiveAttempt(run, request)) closeCalls(step, request, request.bills, request.call);"),
  mutant("tells of several at once with the totals of the last", "budget/budget.ts", "for (const entry of assumeExpired(step.run.ledger, until)) {", "for (const entry of [...assumeExpired(step.run.ledger, until)]) {"),
  mutant("never blocks", "budget/budget.ts", "isLeased) state.budget.isBlocked = true;", "isLeased) state.budget.isBlocked = false;"),
  mutant("blocks only where the workflow has a cap", "budget/budget.ts", " || isLeased) state", ") state"),
  mutant("blocks no task whose own budget is the only one", "budget/budget.ts", "  else if (ledger.taskCaps.has(ref.task)) state.budget.blockedTasks = [...new Set([...(state.budget.blockedTasks ?? []), ref.task])];\n", ""),
  mutant("warns again and again", "budget/budget.ts", "    state.budget.warnedPercent = mark;\n", ""),
  {
    name: "does not fence reserves",
    edits: [
      { file: "budget/reserve.ts", from: "if (!isLiveAttempt(run, request) || isPast(run, request)) {", to: "if (isPast(run, request)) {" },
      { file: "budget/reserve.ts", from: `isLiveAttempt(run, waiting.ref) ? answerReserve(step, waiting) : ({ kind: "gone" } as const)`, to: "answerReserve(step, waiting)" },
    ],
  },
  mutant("holds for a call that is over", "budget/reserve.ts", " || isPast(run, request)) {", ") {"),
  mutant("lets an attempt wait for what it asked for before", "budget/reserve.ts", "    dropEarlier(step, request);\n", ""),
  mutant("never answers whose attempt is over", "budget/reserve.ts", ` : ({ kind: "gone" } as const);`, " : null;"),
  mutant("grants without holding", "budget/reserve.ts", "    hold(step, waiting.ref, waiting.need);\n    return", "    return"),
  mutant("grants the least urgent first", "budget/reserve.ts", "run.plan.tasks[left.ref.task]!.rank - run.plan.tasks[right.ref.task]!.rank", "run.plan.tasks[right.ref.task]!.rank - run.plan.tasks[left.ref.task]!.rank"),
  mutant("starts a task without its budget", "budget/reserve.ts", "    run.waiting.tasks.set(task, waiting);\n    return false;", "    return true;"),
  mutant("forgets a task that waits for its budget", "budget/reserve.ts", "    run.waiting.tasks.set(task, waiting);\n", ""),
  mutant("asks for the budget that a task had at first", "budget/reserve.ts", "    waiting.need = findTaskNeed(run, task);\n", ""),
  mutant("keeps the budget of a task that is put back", "schedule.ts", "  closeCalls(step, { task, attempt: step.run.tasks[task]!.attempt + 1 }, [], Infinity);\n", ""),
  mutant("ignores the tenant's budget", "budget/reserve.ts", "missingLease(ledger, ref, day, need) === 0) return", "true) return"),
  mutant("takes an answer that is older than what the tenant was told", "budget/reserve.ts", "  if (state.budget.revision !== revision) return;\n", ""),
  {
    name: "takes the answer to another question",
    edits: [
      { file: "budget/reserve.ts", from: "if (asked?.revision !== revision) return;", to: "if (asked === null) return;" },
      { file: "budget/reserve.ts", from: "  if (state.budget.revision !== revision) return;\n", to: "" },
    ],
  },
  mutant("takes an answer for all who wait", "budget/reserve.ts", "else if (isRefused && request.need.nanoUsd >= asked.requestNanoUsd) Object", "else Object"),
  mutant("gives back what is held", "budget/reserve.ts", "    const used = account.spentNanoUsd + account.reservedNanoUsd;\n", "    const used = account.spentNanoUsd;\n"),
  mutant("knows nothing of a lease whose answer was lost", "budget/reserve.ts", "  if (leasedNanoUsd === null) setLease(step, day, 0);\n", ""),
  mutant("forgets a question about budget that dies with the object", "budget/reserve.ts", "  wakeAt(step, waiting.asked.lostAt);\n", ""),
  mutant("waits for ever for a lost answer about budget", "budget/reserve.ts", "waiting.asked.lostAt <= now) waiting.asked = null;", "waiting.asked.lostAt < 0) waiting.asked = null;"),
  mutant("never asks again whether others gave budget back", "budget/reserve.ts", "answeredFor !== null && mayGrow) ? waiting.askAgainAt : Infinity", "answeredFor !== null && mayGrow) ? Infinity : Infinity"),
];
