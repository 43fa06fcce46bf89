/** How a word of action stands in the text: `send`, `sends`, `sending`, `sent`, or the doer or deed (`sender`, `extraction`). */
export type ActionForm = "base" | "third" | "ing" | "past" | "noun";

/** Past forms that no rule gives. */
const IRREGULAR_PAST: ReadonlyMap<string, string> = new Map([
  ["send", "sent"], ["write", "written"], ["find", "found"], ["get", "got"], ["take", "taken"], ["keep", "kept"], ["make", "made"],
  ["build", "built"], ["choose", "chosen"], ["tell", "told"], ["break", "broken"], ["split", "split"],
  ["leave", "left"], ["throw", "thrown"], ["give", "given"], ["draw", "drawn"], ["weave", "woven"], ["feed", "fed"], ["hide", "hidden"],
  ["put", "put"], ["cut", "cut"], ["read", "read"], ["set", "set"], ["think", "thought"], ["bring", "brought"],
]);

/** Verbs of one stressed last syllable whose last letter is doubled (`map`, `mapping`). */
const DOUBLING = new Set(
  "get map split trim drop skip strip crop grab scan omit submit zip unzip tag wrap unwrap sum put cut set chat ship log debug plan stop pop flag chop dedup transfer swap format cap pad ban flip blur remap prep rid snip pin".split(" "),
);

/** The regular forms of a verb of one word, `-ise` and `-yse` spellings included. Wrong forms do no harm: nobody writes them. */
export function inflect(verb: string): [word: string, form: ActionForm][] {
  const forms: [string, ActionForm][] = [];
  for (const base of spellings(verb)) {
    const stem = base.endsWith("e") ? base.slice(0, -1) : DOUBLING.has(base) ? base + base.at(-1)! : base;
    const ofY = base.endsWith("y") && !"aeiou".includes(base.at(-2) ?? "a");
    const ied = ofY ? `${base.slice(0, -1)}i` : stem;
    forms.push([base, "base"], [`${stem}ing`, "ing"], [`${ied}ed`, "past"], [`${ied}er`, "noun"], [`${stem}or`, "noun"]);
    forms.push([ofY ? `${base.slice(0, -1)}ies` : hisses(base) ? `${base}es` : `${base}s`, "third"]);
    const past = irregularPast(base);
    if (past !== undefined && past !== base) forms.push([past, "past"]);
    const deed = nameDeed(base);
    if (deed !== undefined) forms.push([deed, "noun"]);
  }
  return forms;
}

function spellings(verb: string): string[] {
  if (verb.length > 5 && verb.endsWith("ize")) return [verb, `${verb.slice(0, -3)}ise`];
  if (verb.endsWith("lyze")) return [verb, `${verb.slice(0, -3)}yse`];
  return [verb];
}

/** "Rewritten" and "resent" go like "written" and "sent". */
function irregularPast(base: string): string | undefined {
  const plain = IRREGULAR_PAST.get(base);
  if (plain !== undefined || !base.startsWith("re")) return plain;
  const root = IRREGULAR_PAST.get(base.slice(2));
  return root === undefined ? undefined : `re${root}`;
}

function nameDeed(base: string): string | undefined {
  if (base.endsWith("ate")) return `${base.slice(0, -1)}ion`;
  if (base.endsWith("ize") || base.endsWith("ise")) return `${base.slice(0, -1)}ation`;
  if (base.endsWith("ify")) return `${base.slice(0, -1)}ication`;
  return undefined;
}

function hisses(base: string): boolean {
  return base.endsWith("s") || base.endsWith("x") || base.endsWith("z") || base.endsWith("ch") || base.endsWith("sh");
}
