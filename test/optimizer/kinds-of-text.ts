/** Texts of the kinds that tokens are counted of, written for the tests, and such as nobody writes. */

const PROSE = `The harbour master walked down to the quay every morning before the ferries came in. In 1987 the council had voted,
by nineteen to four, to keep the old crane; since then nobody had dared to move it. "It's ours," said Margaret O'Connell, who ran the
café opposite, "and it will outlive the lot of you." Visitors from Rotterdam, Gdańsk and Valparaíso photographed it regardless of weather. `;
const MEETING = `Chair: Right, shall we start? I think everybody has had the paper.
Dana Whitfield: Yeah, um, so the thing I'd say about the budget is, we're basically fine until March, and then, you know, it depends.
Chair: Okay. And the vendor?
Luis Ortega: They said they'd come back to us on Thursday. I don't really believe that, to be honest.
`;
const LOG = Array.from({ length: 20 }, (_, n) => `2026-03-04T11:22:${10 + n}.${100 + n}Z INFO [http-nio-8080-exec-${n}] c.e.orders.OrderService - accepted order id=ord_${7_391_000 + n * 37} total=${n * 3}.49 in ${n + 4}ms`).join("\n");
const CODE = `export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) {
      last.end = Math.max(last.end, range.end);
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}
`;
const JSON_TEXT = JSON.stringify(Array.from({ length: 12 }, (_, n) => ({ id: `user_${n * 971}`, email: `person${n}@example.org`, active: n % 2 === 0, balance: n * 10.25, tags: ["new", "trial"], address: { city: "Springfield", zip: `${10_000 + n * 7}` } })));
const MARKDOWN = `## Limits\n\n- **Body**: 1 MiB, or \`413\`\n- **Tasks**: up to 5,000 per workflow\n\n| field | meaning | default |\n|---|---|---|\n| \`id\` | client's own | made |\n| \`priority\` | who goes first | \`normal\` |\n`;
const GERMAN = `Der Hafenmeister ging jeden Morgen zum Kai, bevor die Fähren einliefen. Seit der Gemeinderatssitzung im Frühjahr durfte niemand mehr den alten Kran verschieben, obwohl die Straßenbauverwaltung darauf bestand. `;
const RUSSIAN = `Каждое утро начальник порта спускался к причалу до прихода паромов. С тех пор как совет проголосовал, никто не решался передвинуть старый кран. `;
const CHINESE = `港口主管每天早上在渡轮到来之前走到码头。自从议会投票决定保留那台旧起重机以后，没有人敢移动它。来自鹿特丹的游客不管天气如何都会拍照。`;
const JAPANESE = `港長は毎朝フェリーが着く前に岸壁まで歩いていった。議会が古いクレーンを残すと決めてから、誰もそれを動かそうとしなかった。`;
const HEX = Array.from({ length: 60 }, (_, n) => ((n * 2_654_435_761) >>> 0).toString(16).padStart(8, "0")).join("");
const BASE64 = btoa(Array.from({ length: 600 }, (_, n) => String.fromCharCode((n * 7_919 + ((n * n) >> 3)) & 255)).join(""));
const EMOJI = "🚀🔥🎉👩‍🚀✅🧪😀".repeat(12);

export const KINDS_OF_TEXT = {
  prose: PROSE,
  "a meeting": MEETING,
  "a log": LOG,
  code: CODE,
  JSON: JSON_TEXT,
  Markdown: MARKDOWN,
  German: GERMAN,
  Russian: RUSSIAN,
  Chinese: CHINESE,
  Japanese: JAPANESE,
  hexadecimal: HEX,
  base64: BASE64,
  emoji: EMOJI,
};
export type KindOfText = keyof typeof KINDS_OF_TEXT;

const SMALL = "abcdefghijklmnopqrstuvwxyz";
const CAPITAL = SMALL.toUpperCase();
const DIGITS = "0123456789";
const SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/** In [0, 1), the same sequence for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) / 0x800000;
  };
}

type Draw = (bound: number) => number;

const oneOf = (characters: string) => (draw: Draw): string => characters.charAt(draw(characters.length));
const within = (from: number, to: number) => (draw: Draw): string => String.fromCodePoint(from + draw(to - from + 1));
/** `least`–`most` characters, a separator, and so on. */
const wordsOf = (character: (draw: Draw) => string, least: number, most: number, separator = " ") => (draw: Draw): string =>
  Array.from({ length: least + draw(most - least + 1) }, () => character(draw)).join("") + separator;

/** What is drawn over and over to make a text: everything that bytes may hold, most of it random within one script. */
const RANDOM_PARTS = {
  "random lower-case words": wordsOf(oneOf(SMALL), 1, 12),
  "random short words": wordsOf(oneOf(SMALL), 1, 3),
  "syllables": (draw: Draw) => Array.from({ length: 1 + draw(4) }, () => oneOf("bcdfghjklmnpqrstvwxz")(draw) + oneOf("aeiou")(draw)).join("") + " ",
  "words of three letters of the alphabet": (draw: Draw) => {
    const alphabet = oneOf(SMALL)(draw) + oneOf(SMALL)(draw) + oneOf(SMALL)(draw);
    return wordsOf(oneOf(alphabet), 4, 8)(draw);
  },
  "capital words": wordsOf(oneOf(CAPITAL), 1, 12),
  "words of mixed case": wordsOf(oneOf(SMALL + CAPITAL), 1, 12),
  "Capitalised random words": (draw: Draw) => oneOf(CAPITAL)(draw) + wordsOf(oneOf(SMALL), 1, 8)(draw),
  "random base64": oneOf(`${SMALL}${CAPITAL}${DIGITS}+/`),
  "letters and digits": oneOf(SMALL + DIGITS),
  "hexadecimal digits": oneOf(`${DIGITS}abcdef`),
  "digits": oneOf(DIGITS),
  "numbers of a few digits": wordsOf(oneOf(DIGITS), 1, 4),
  "signs": oneOf(SIGNS),
  "signs and spaces": oneOf(`${SIGNS}    `),
  "signs at the end of lines": (draw: Draw) => wordsOf(oneOf(SIGNS), 1, 4, "\n")(draw),
  "spaced ideographs": (draw: Draw) => `${within(0x4e00, 0x9fff)(draw)} `,
  "contractions": (draw: Draw) => `${oneOf(SMALL)(draw)}'${wordsOf(oneOf("stdmrevl"), 1, 2)(draw)}`,
  "a letter and its contraction": (draw: Draw) => `${oneOf(SMALL)(draw)}'${["s", "d", "m", "t", "ll", "ve", "re"][draw(7)]} `,
  "printable ASCII": within(32, 126),
  "control characters": within(0, 31),
  "white space": oneOf(" \n\t\r"),
  "Latin-1": within(0xa0, 0xff),
  "accented letters": oneOf("àéîõüñçßøåæœšžłćęąőűğışţ"),
  "combining marks": (draw: Draw) => oneOf(SMALL)(draw) + within(0x300, 0x36f)(draw) + within(0x300, 0x36f)(draw),
  "Greek": within(0x391, 0x3c9),
  "Cyrillic": within(0x410, 0x44f),
  "Hebrew": within(0x5d0, 0x5ea),
  "Arabic": within(0x620, 0x64a),
  "Devanagari": within(0x905, 0x939),
  "Thai": within(0xe01, 0xe3a),
  "Georgian": within(0x10d0, 0x10fa),
  "Ethiopic": within(0x1200, 0x12ff),
  "Cherokee": within(0x13a0, 0x13ef),
  "Khmer": within(0x1780, 0x17cf),
  "Myanmar": within(0x1000, 0x104f),
  "kana": within(0x3041, 0x30fa),
  "ideographs": within(0x4e00, 0x9fff),
  "rare ideographs": within(0x3400, 0x4dbf),
  "Hangul": within(0xac00, 0xd7a3),
  "Yi": within(0xa000, 0xa48c),
  "symbols": within(0x2000, 0x2e7f),
  "private characters": within(0xe000, 0xf8ff),
  "characters beyond the first plane": within(0x10000, 0x10ffff),
  "random emoji": within(0x1f300, 0x1f6ff),
  "halves of surrogate pairs": (draw: Draw) => String.fromCharCode(0xd800 + draw(0x800)),
  "any character of the first plane": within(0x80, 0xd7ff),
} satisfies Record<string, (draw: Draw) => string>;

export type HostileKind = keyof typeof RANDOM_PARTS;
export const HOSTILE_KINDS = Object.keys(RANDOM_PARTS) as HostileKind[];

/** A text of at least `length` UTF-16 units. */
export function makeHostileText(kind: HostileKind, length: number, seed: number): string {
  const random = createRandom(seed);
  const draw: Draw = (bound) => Math.floor(random() * bound);
  let text = "";
  while (text.length < length) text += RANDOM_PARTS[kind](draw);
  return text;
}
