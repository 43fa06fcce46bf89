import type { Fault, Problem } from "../../errors.ts";

/** Most faults of one answer: more help nobody, and 5,000 tasks can have very many. */
export const MAX_FAULTS = 1_000;

/** Collects the faults of a request up to the limit and counts the rest. */
export interface FaultList {
  add: (path: string, message: string) => void;
  /** The faults, or null if there are none. With too many the last one says how many are left out. */
  finish: () => Fault[] | null;
}

export function createFaultList(): FaultList {
  const faults: Fault[] = [];
  let total = 0;
  return {
    add: (path, message) => {
      total += 1;
      if (faults.length < MAX_FAULTS) faults.push({ path, message });
    },
    finish: () => {
      if (total === 0) return null;
      if (total <= MAX_FAULTS) return faults;
      const shown = faults.slice(0, MAX_FAULTS - 1);
      return [...shown, { path: "", message: `${total - shown.length} more problems are not listed` }];
    },
  };
}

/** The refusal of a request with everything that is wrong with it. */
export function refuseFaulty(all: readonly Fault[]): Problem {
  const errors = limitFaults(all);
  const [first] = errors;
  const detail = errors.length === 1 && first !== undefined ? `${first.path === "" ? "The request" : first.path}: ${first.message}` : `${all.length} problems, listed in errors.`;
  return { problem: "invalid", detail, errors };
}

/** The first of many faults, and how many there are more. */
export function limitFaults(faults: readonly Fault[]): Fault[] {
  const list = createFaultList();
  for (const { path, message } of faults) list.add(path, message);
  return list.finish() ?? [];
}
