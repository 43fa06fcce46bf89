/** Made-up sources with facts that a question asks for among others of the same kind: passages, talk, runs of an agent, logs. The same seed gives the same. */

export interface Asked {
  query: string;
  /** Strings that an answer needs. */
  needed: string[];
}

interface Draw {
  <T>(from: readonly T[]): T;
  /** From `from` up to, but not, `to`. */
  number: (from: number, to: number) => number;
}

function createDraw(seed: number): Draw {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const next = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % bound;
  };
  return Object.assign(<T>(from: readonly T[]): T => from[next(from.length)]!, { number: (from: number, to: number) => from + next(to - from) });
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const SYLLABLES = ["bar", "ker", "lin", "mor", "tas", "vel", "don", "hal", "rik", "sen", "ost", "wal", "fen", "gar", "dru", "pel", "nor", "tam", "isk", "lau", "bre", "cor", "mun", "eld", "ryd", "sol", "kva", "jor", "ham", "vin"];
const FIRST_NAMES = ["Ilse", "Tomas", "Priya", "Dmitri", "Anneke", "Kofi", "Lucia", "Hamid", "Greta", "Oskar", "Mei", "Rafael", "Ingrid", "Samuel", "Noor", "Pavel"];

function nameOf(draw: Draw): string {
  const name = draw(SYLLABLES) + draw(SYLLABLES);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

export interface Passage {
  title: string;
  text: string;
}

const MADE = { bridge: "designed", opera: "composed", lighthouse: "built", novel: "written", observatory: "founded" } as const;
const MAKER = { bridge: "designer", opera: "composer", lighthouse: "builder", novel: "author", observatory: "founder" } as const;

function remarks(title: string, draw: Draw): string[] {
  return [
    `In later years ${title} was mentioned in several travel guides of the region.`,
    "A small museum keeps letters and drawings about it.",
    "Critics were divided, and the local newspaper printed both opinions for weeks.",
    `The archive burned in 19${draw.number(10, 99)}, so many details are uncertain.`,
    `Each summer some ${draw.number(200, 9_000)} visitors come, mostly from ${nameOf(draw)}.`,
    "The road to it was paved by the county and is closed in winter.",
    "Its name comes from an old word for a ford or a crossing.",
    `It appears on the coins that the city of ${nameOf(draw)} had struck.`,
  ];
}

/** 22 passages on works and those who made them; the question asks for one of them, or for something about its maker, whom it does not name. */
export function makePassages(seed: number): Asked & { passages: Passage[] } {
  const draw = createDraw(seed);
  const kinds = Object.keys(MADE) as (keyof typeof MADE)[];
  const asked = draw(kinds);
  const works = upTo(8).map((at) => ({ kind: at < 4 ? asked : draw(kinds), title: `${nameOf(draw)} ${nameOf(draw)}`, maker: `${draw(FIRST_NAMES)} ${nameOf(draw)}`, year: draw.number(1800, 1980), town: nameOf(draw) }));
  const passages = [
    ...works.map(({ kind, title, maker, year }) => ({ title, text: [`${title} is a ${kind} in the ${draw(["north", "south", "east", "west"])} of ${nameOf(draw)}.`, `It was ${MADE[kind]} by ${maker} and finished in ${year}.`, ...remarks(title, draw).slice(draw([0, 2, 4]))].join(" ") })),
    ...works.map(({ maker, town }) => ({ title: maker, text: [`${maker} lived in the nineteenth century.`, `${draw(["He", "She"])} was born in ${town} as the ${draw(["second", "third"])} child of a miller.`, `Later ${maker} taught at the academy of ${nameOf(draw)}.`, ...remarks(maker, draw).slice(draw([0, 2, 4]))].join(" ") })),
    ...upTo(6).map(() => nameOf(draw)).map((title) => ({ title, text: [`${title} is a town with ${draw.number(1_000, 90_000)} inhabitants.`, ...remarks(title, draw)].join(" ") })),
  ];
  const { kind, title, maker, town } = works[seed % 4]!;
  const isTwoHops = seed % 2 === 0;
  return {
    query: isTwoHops ? `In which town was the ${MAKER[kind]} of ${title} born?` : `Who was the ${MAKER[kind]} of ${title}?`,
    needed: [isTwoHops ? `born in ${town}` : maker],
    passages: passages.map((passage) => ({ passage, order: draw.number(0, 10_000) })).sort((left, right) => left.order - right.order).map(({ passage }) => passage),
  };
}

export interface Utterance {
  name: string;
  text: string;
}

const OPENINGS = ["I think", "Right, and", "Um, I am not sure, but", "As we said last week,", "To be honest,", "My impression is that", "They did say that", "Well, in the end", "From what I heard", "Sorry, but", "You know,", "Fine, but"];
const SUBJECTS = ["the schedule", "the survey", "that slide", "the prototype", "the second room", "the supplier", "our intern", "the last report", "the agenda", "the customer", "the old plan", "the contract", "the new form", "the test week", "the invoice", "the board"];
const PREDICATES = ["depends on", "was left out because of", "goes back to", "is still waiting for", "has little to do with", "came up again after", "should be checked against", "cannot be moved without", "would need", "was rewritten for", "takes longer than"];
const ENDINGS = ["", " this time", " as far as I can tell", " in most cases", " for now", " at least in theory", " before the summer", " according to the notes"];

const TOPICS: readonly { asks: string; says: (first: string, second: string) => string[] }[] = [
  { asks: "What was decided about the battery of the remote?", says: (minutes, price) => ["So about the battery, the question is kinetic or solar.", `The kinetic one was too weak in the lab, it lasted only ${minutes} minutes.`, "And what would the other cost us?", `About ${price} euros a piece if we order now.`, "Then let us take that one and note it as the decision."] },
  { asks: "Why was the hiring of a second analyst put off?", says: (month, name) => ["Next is the hiring of the second analyst.", `Finance has frozen all posts until week ${month}.`, "But we have the grant, do we not?", `The grant pays for equipment only, that is what director ${name} wrote.`, "So it is put off, and nobody is happy about it."] },
  { asks: "Which problem with the recordings of the sensors was discussed?", says: (hours, version) => ["The sensors' recordings have gaps.", `Every ${hours} hours the clock jumps, and the files are cut.`, `I believe it is the driver, release ${version} had that.`, "Then roll it back and see.", "Yes, I will do that on Monday."] },
];

/** 160 utterances of five people; three topics come up, and the question asks for one, of which most utterances share no word with it. */
export function makeTalk(seed: number): Asked & { talk: Utterance[] } {
  const draw = createDraw(seed);
  const names = upTo(5).map((at) => `${FIRST_NAMES[at * 3]} ${nameOf(draw)}`);
  const chat = (): string => `${draw(OPENINGS)} ${draw(SUBJECTS)} ${draw(PREDICATES)} ${draw(SUBJECTS)}${draw(ENDINGS)}.`;
  const talk = upTo(160).map(() => ({ name: draw(names), text: upTo(draw([1, 2, 3])).map(chat).join(" ") }));
  const facts = TOPICS.map(() => [String(draw.number(11, 90)), nameOf(draw)] as const);
  TOPICS.forEach(({ says }, topic) => says(...facts[topic]!).forEach((text, at) => (talk[topic * 50 + draw([9, 10]) + at * 2] = { name: draw(names), text })));
  const topic = seed % TOPICS.length;
  TOPICS[topic]!.says(...facts[topic]!).forEach((text, at) => (talk[topic * 50 + 30 + at] = { name: draw(names), text }));
  return { query: TOPICS[topic]!.asks, needed: [...facts[topic]!], talk };
}

export interface Step {
  role: "user" | "assistant" | "tool";
  /** The tool that is called, or that answers. */
  tool?: string;
  text: string;
}

/** A booking agent's run over five bookings; what was looked up must be repeated by its id. */
export function makeRun(seed: number): Asked & { run: Step[] } {
  const draw = createDraw(seed);
  const id = (prefix: string): string => `${prefix}${draw.number(100_000, 999_999)}`;
  const needed: string[] = [];
  const run = upTo(5).flatMap((): Step[] => {
    const [booking, card, berth] = [id("BK"), id("card_"), id("PIER-")];
    needed.push(booking, card, berth);
    const record = { booking, berth, name: `${draw(FIRST_NAMES)} ${nameOf(draw)}`, remarks: remarks("the harbour", draw).slice(0, 5).join(" "), payment: { card, amount: draw.number(10, 900) }, crew: upTo(4).map(() => ({ name: nameOf(draw), paper: draw(["passport", "seaman's book"]), meals: draw(["all", "none"]) })) };
    return [
      { role: "user", text: `Please look at my booking ${booking} and tell me what it says.` },
      { role: "assistant", tool: "find_booking", text: JSON.stringify({ booking }) },
      { role: "tool", tool: "find_booking", text: JSON.stringify(record) },
      { role: "assistant", text: `I found it. ${remarks("your berth", draw).slice(1, 5).join(" ")} Is there anything else that I can do for you?` },
    ];
  });
  return { query: "Please cancel all of them and pay back to the cards.", needed, run };
}

/** 300 entries of a service in eight forms, and a rare one or two that tell what went wrong. */
export function makeEntries(seed: number): Asked & { entries: { level: "info" | "error"; text: string }[] } {
  const draw = createDraw(seed);
  const number = (): number => draw.number(1, 100_000);
  const forms = [
    () => `accepted order id=${number()} total=${number()}`, () => `cache hit for key user:${number()}`, () => `worker ${draw.number(0, 9)} is idle`, () => `sent ${number()} bytes to 10.0.${draw.number(0, 250)}.${draw.number(0, 250)}`,
    () => `retrying payment ${number()} in ${draw.number(1, 60)} s`, () => `session ${number()} closed by client`, () => `queue depth is ${number()}`, () => `health check took ${draw.number(1, 90)} ms`,
  ];
  const entries: { level: "info" | "error"; text: string }[] = upTo(300).map(() => ({ level: "info", text: draw(forms)() }));
  const shard = `shard-${number()}`;
  const host = `db-${number()}.internal`;
  entries[40 + (seed % 7) * 30] = { level: "error", text: `lost the lease of ${shard}: replica ${host} did not answer` };
  return { query: "Why did the service fail, and on which host?", needed: [shard, host], entries };
}
