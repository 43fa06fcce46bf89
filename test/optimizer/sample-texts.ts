import fc from "fast-check";

/** Texts of every kind that a reduction tells apart, made up for the tests. */

export const GUIDE = `# Lighthouse keeper's guide

The lamp is lit an hour before sunset.   It stays lit until the fog has gone.

## Fuel

Paraffin is stored in the lower shed. Each drum holds 200 litres. The drums are checked on the first Monday of the month.

\`\`\`sh
pump --prime


pump --run --pressure 3.5
\`\`\`

## Keepers

| name | years | station |
|---|---|---|
| Ada Merrow | 1911-1924 | North Skerry |
| Tom Halloran | 1924-1951 | Gull Point |

The keepers lived with their families. They grew potatoes behind the wall. They complained of the wind.

- trim the wick
- wind the clockwork
  every four hours
- write the log

## Visitors

Visitors came by boat in summer. They were given tea. Nobody wrote down their names. The order book mentions REF-20417 only once.
`;

export const PASSAGES = Array.from({ length: 12 }, (_, n) => {
  const bodies = [
    "Calder Bridge is a stone bridge over the river Ouze. It was designed by the engineer Ilse Brandt and opened to carts before the railway came.",
    "Ilse Brandt was an engineer. She was born in Lindau and studied in Zurich, where she taught for eleven years.",
    "The Ouze rises in the hills. Trout and grayling live in its upper part, and anglers come from far away.",
    "Potato farming in the valley began late. The soil is heavy and the winters are long.",
  ];
  const titles = ["Calder Bridge", "Ilse Brandt", "River Ouze", "Potato farming"];
  const filler = `Entry ${n} has further remarks on the weather, the roads and the inns of district ${n * 7}.`;
  return `Document [${n + 1}] (Title: ${titles[n] ?? `District ${n}`}) ${bodies[n] ?? `District ${n} lies in the east of the country. It has ${n * 113} inhabitants and a market.`} ${filler}`;
}).join("\n");

export const LOG = [
  ...Array.from({ length: 60 }, (_, n) => `2026-01-02 10:00:${String(n).padStart(2, "0")} INFO worker-${n % 3} heartbeat ok seq=${n}`),
  "2026-01-02 10:01:00 ERROR db connection refused to 10.0.0.5:5432",
  "2026-01-02 10:01:01 INFO worker-1 shutting down",
].join("\n");

export const MEETING = Array.from({ length: 40 }, (_, n) => {
  if (n === 21) return "Priya Nair: The battery problem is the casing. We measured a leak at 4.2 bar, and the supplier knows.";
  if (n === 22) return "Chair: So we replace the casing before the battery test?";
  if (n === 23) return "Priya Nair: Yes, with the ceramic one, in week nineteen.";
  return n % 2 === 0 ? `Chair: Item ${n} on the agenda, any remarks about the minutes and the catering?` : `Tom Weller: I have nothing to add on item ${n}, the room was cold and the coffee was late again.`;
}).join("\n");

export const TRAJECTORY = `user: Please move my booking to Tuesday. I am user lena_krause_4471.
assistant -> find_booking({"user_id":"lena_krause_4471"})
tool[find_booking]: ${JSON.stringify({ booking: "QX7PLM", user: "lena_krause_4471", legs: Array.from({ length: 8 }, (_, n) => ({ flight: `KR${300 + n}`, date: `2026-05-${10 + n}`, from: "OSL", to: "BGO", seats: { economy: n, business: 2 }, remarks: "Meal included, no lounge, board twenty minutes before departure at the latest" })), payment: { id: "card_9917203", brand: "visa" } })}
assistant: I found your booking. Here is what it says about each leg, in order, with everything that you may want to know before deciding.
user: Fine, the first flight on Tuesday then, paid with the same card.
`;

export const ORDERS = JSON.stringify(
  { total: 40, currency: "EUR", items: Array.from({ length: 40 }, (_, n) => ({ id: `it-${n}`, price: n * 1.5, name: `article ${n}`, note: `Kept in the lower shed, row ${n}, and handed out against a receipt only, which the keeper signs and files with the others of the month`, tags: ["a", "b"] })) },
  null,
  2,
);

export const CODE = `import { open } from "./files.ts";

const LIMIT = 64;

/** Reads the lamp's state. */
export function readLamp(path: string): string {
  const text = open(path);

  return text.trim();
}

export function refuel(litres: number): number {
  if (litres > LIMIT) {
    throw new Error("too much");
  }
  return LIMIT - litres;
}

export function describeWeather(wind: number): string {
  return wind > 8 ? "storm" : "calm";
}
`;

export const ALL_KINDS: Record<string, string> = { GUIDE, PASSAGES, LOG, MEETING, TRAJECTORY, ORDERS, CODE };

/** Texts put together from parts that matter to the readers: structure, half of it broken, and any characters. */
export const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom("# Heading\n", "```\n", "~~~\n", "| a | b |\n", "- item\n", "1. item\n", "    indented\n", "\n", "\n\n\n", "  ", "\t", "\r\n", "user: hi\n", "assistant: ", "Ada: yes.\n", "Document [3] (Title: x) ", "{", "}", "[", "]", '"', ',"a":1', "2026-01-02 10:00:00 INFO x=1\n", "e.g. ", "3.14", "。", "好", "😀", "\ud83d", "\ude00", "A sentence of some words. ", "Another one? "),
      fc.string({ maxLength: 12 }),
      fc.string({ unit: "binary", maxLength: 8 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));
