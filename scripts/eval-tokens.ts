import { countTokens as countCl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as countO200k } from "gpt-tokenizer/encoding/o200k_base";
import { upperBoundTokens } from "../src/optimizer/tokens/token-bound.ts";
import { estimateTokens } from "../src/optimizer/tokens/tokens.ts";
import { HOSTILE_KINDS, KINDS_OF_TEXT, makeHostileText } from "../test/optimizer/kinds-of-text.ts";

/** Prints how far the estimate and the upper bound lie from what tokenizers count, by kind of text. Needs no data. */
const HOSTILE_CHARACTERS = 20_000;

console.log("kind of text                              tokens   estimate   bound / o200k  / cl100k");
for (const [kind, text] of Object.entries(KINDS_OF_TEXT)) printRow(kind, text);
console.log("\nrandom, of one kind of character");
for (const kind of HOSTILE_KINDS) printRow(kind, makeHostileText(kind, HOSTILE_CHARACTERS, 1));

function printRow(kind: string, text: string): void {
  const [o200k, cl100k, estimate, bound] = [countO200k(text), countCl100k(text), estimateTokens(text), upperBoundTokens(text)];
  const ratio = (of: number, by: number): string => (of / by).toFixed(2).padStart(8);
  console.log(`${kind.padEnd(40)} ${String(Math.max(o200k, cl100k)).padStart(7)}   ${ratio(estimate, o200k)}        ${ratio(bound, o200k)}   ${ratio(bound, cl100k)}`);
}
