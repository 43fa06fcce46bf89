import type { ActionForm } from "./inflection.ts";
import type { Evidence } from "./intent.ts";

/** Verbs whose intent hangs on what they act on; the rules in `cues.ts` look at the words around them. */
export type ActionRole = "make" | "write" | "get" | "search" | "add" | "check" | "verify" | "remove" | "update" | "choose" | "answer" | "post" | "store" | "extract" | "tell" | "put" | "compute" | "append" | "fix" | "detect" | "sum" | "compress" | "parse" | "prepare" | "confirm";

/** What one word says about the action of a step. 3 points are what a plain verb ("convert …") is worth. */
export interface Action {
  evidence: Evidence;
  form: ActionForm;
  role?: ActionRole;
  /** Far more often a thing than a deed in step names ("message", "report"): a deed only in front, and not before a doer's name. */
  thing: boolean;
  /** Also a noun or adjective ("filter", "split"): weak unless in front. */
  nounLike: boolean;
}

/** An entry of the word lists: words that say the same, divided by spaces (phrases: by commas, their words by `_`). */
export interface ActionGroup {
  evidence: Evidence;
  words: string;
  role?: ActionRole;
  thing?: true;
  nounLike?: true;
}
