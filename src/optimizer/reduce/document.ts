import type { ContentKind } from "./kind.ts";
import type { TermIndex } from "./terms.ts";
import type { RelevanceWeights } from "./weights.ts";
import { measureTokens } from "../tokens/tokens.ts";

/**
 * - `label`: says what follows (a heading, a document's title, a speaker, an opening bracket); kept with what needs it
 * - `sentence`, `item`, `line`: running text, a list item or list, a line
 * - `code`, `table`: whole blocks
 * - `record`: a JSON value
 */
export type UnitRole = "label" | "sentence" | "item" | "line" | "code" | "table" | "record";

/** The smallest part of a text that is kept or dropped, never cut. */
export interface Unit {
  text: string;
  /** Whitespace between this unit and the next one, if both are kept. */
  gap: string;
  role: UnitRole;
  /** Source lines that begin in this unit or its gap, for the omission marks. */
  lines: number;
  /** Units of one section are about one thing: a document, a message, a paragraph. */
  section: number;
  /** Index of the unit that must be kept with this one, or -1. */
  needs: number;
  /** For a JSON container, or a long JSON string of which the sentences are units: its closing bracket or quote and the index after its last descendant. */
  close: string;
  until: number;
  /** Holds a string that the caller wants kept. */
  locked: boolean;
  /** How many lines like this one it stands for. */
  repeats: number;
  /** Estimated tokens of text and gap. */
  tokens: number;
  /** Characters of text and gap. */
  chars: number;
}

export const KEPT = 0;
export const DROPPED = 1;
/** Dropped, and what it says is told elsewhere (a collapsed log line), so that it needs no mark. */
export const COVERED = 2;

export interface ContextDocument {
  kind: ContentKind;
  /** How its parts are weighed: as what they say, which for JSON is not how they are written. */
  weights: RelevanceWeights;
  units: Unit[];
  /** Per unit `KEPT`, `DROPPED` or `COVERED`. Apart from the units, so that a method that drops some does not copy megabytes of them. */
  dropped: Uint8Array;
  /** Identifiers of dropped units that the omission marks name, by the unit they stood in. */
  named: ReadonlyMap<number, readonly NamedIdentifier[]>;
}

/** An identifier and the JSON member it was the value of; "" if none. */
export interface NamedIdentifier {
  value: string;
  key: string;
}

/** What a text is reduced for, with the words of both: one text per unit, then the query's own, then the words of `measures.ts`. */
export interface ReductionQuery {
  text: string;
  index: TermIndex;
}

/** The budget of a reduction. A share to remove binds characters too, so that it holds however tokens are counted. */
export interface ReductionBudget {
  maxTokens: number;
  maxChars: number;
}

/** A run of text that must stay byte for byte. */
export interface TextRange {
  start: number;
  end: number;
}

export function createUnit(text: string, role: UnitRole, section: number, needs = -1): Unit {
  return { text, gap: "", role, lines: 0, section, needs, close: "", until: -1, locked: false, repeats: 1, tokens: 0, chars: 0 };
}

/** Counts tokens and characters anew, after the text or the gap of a unit was changed. */
export function weighUnit(unit: Unit): void {
  unit.tokens = measureTokens(unit.text) + (unit.gap === "" || unit.gap === " " ? 0 : measureTokens(unit.gap)) + (unit.close === "" ? 0 : 0.5);
  unit.chars = unit.text.length + unit.gap.length + unit.close.length;
}
