import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classifyByPatterns, NO_EVIDENCE_CONFIDENCE } from "../../../src/optimizer/intents/classify-by-patterns.ts";
import { type Intent, INTENTS } from "../../../src/optimizer/intents/intent.ts";

function intentOf(text: string): Intent {
  return classifyByPatterns(text).intent;
}

const NAMES: Record<Intent, string[]> = {
  extract: ["Pull serial numbers out of the label", "Receipt parser", "Get text from scanned PDF", "OCR the contract", "Crawl product pages", "Find every amount in the text", "Read sensor log file"],
  summarize: ["Condense board notes", "Weekly press digest", "Write an executive summary", "Key takeaways", "Extract main points", "Boil down the interview", "Support thread recap"],
  generate: ["Compose lullaby", "Poem writer", "Draft a reply", "Create cover image", "Come up with a slogan", "Text to speech", "Generate alert wording", "Answer the guest"],
  validate: ["Verify tax number", "Check IBAN format", "Schema check", "Make sure totals add up", "Barcode validator", "Address verification", "Validate merged row"],
  send: ["Notify warehouse", "Welcome email", "Post score to Slack", "Telegram: parcel arrived message", "SMS to courier", "Respond to visitor", "Send filtered rows", "Text the plumber and the owner", "Slack alert for late trains"],
  transform: ["Convert miles to kilometres", "XML to YAML", "Rename columns", "Strip HTML tags", "Split into lines", "Turn table into list", "Build request body", "Decode base64", "Translate to Polish"],
  conditional: ["Is it raining?", "Train delayed?", "If stock is low", "Weekday router", "Switch on colour", "Parcel was returned", "Decide next stop", "Check if seat is free", "Has ticket", "Temperature above 30"],
  aggregate: ["Merge both timetables", "Sum of fares", "Count passengers per line", "Put all answers together", "Group by depot", "Create one array", "Items into single list", "Append late rows"],
  filter: ["Only express trains", "Drop rows without fare", "Remove duplicate tickets", "Keep newest version", "First 3 departures", "Skip Sundays", "Get only delayed buses", "Stations older than 50 years"],
  enrich: ["Look up depot address", "Find driver by badge", "Add fare details to ticket data", "Search similar complaints", "Get weather by city", "Company lookup", "IP reputation", "Geocode stops"],
};

describe("the intent of a step's name", () => {
  for (const intent of INTENTS) {
    it.each(NAMES[intent])(`${intent}: %s`, (text) => expect(intentOf(text)).toBe(intent));
  }
});

describe("the intent of a prompt", () => {
  it.each<[Intent, string]>([
    ["summarize", "You are an editor. Here are the minutes of the council. Summarize them in four sentences."],
    ["filter", "From the timetable below, keep only trains that leave before noon."],
    ["generate", "Implement a queue with two stacks and write unit tests for it."],
    ["conditional", "If the passenger has a season ticket let them board, otherwise ask the conductor what the fare is today."],
    ["enrich", "For each station, look up the number of inhabitants of its town and the nearest airport."],
  ])("%s: %s", (intent, text) => expect(intentOf(text)).toBe(intent));
});

describe("where a word stands", () => {
  it.each<[string, Intent, string]>([
    ["the verb in front beats verbs and nouns behind it", "send", "Send summary of merged results"],
    ["a name before a dash is only a label", "extract", "Gmail - Extract parcel number"],
    ["a format's name may stand before the verb", "extract", "HTML Extract Price"],
    ["a doer at the end makes the first word its object", "extract", "Message parser"],
    ["an adjective made of a verb is no action", "send", "Send processed image"],
    ["a question decides", "conditional", "Filter matched anything?"],
    ["a name in camel case is read as words", "send", "sendParcelNotice"],
    ["a single identifier is read as words", "conditional", "IsFragile"],
    ["snake case is read as words", "transform", "convert_to_metric"],
    ["a copy's number is passed over", "aggregate", "Merge3"],
    ["swapped letters are understood", "transform", "Covnert the date"],
    ["a missing letter is understood", "aggregate", "Aggregte fares"],
    ["a doubled letter is understood", "validate", "Vallidate ticket"],
    ["capitals in a row are words of their own", "extract", "HTMLParser"],
    ["formats with a 2 between them are a conversion", "transform", "csv2json"],
    ["a noun before a test is its object", "filter", "Score filter"],
    ["a noun before a process is its object", "validate", "Upload validation"],
    ["an order before the name of a thing stays an order", "transform", "Set counter"],
    ["a kind of node in front of an order is only a label", "filter", "Code - keep new ferries"],
    ["the latest of a kind is no deed", "filter", "Latest report"],
    ["a label that says nothing is passed over", "enrich", "HTTP Request - Look up the harbour"],
    ["a product in front of an order says only where", "transform", "Airtable Format tide table"],
    ["a participle in front names what the step makes", "transform", "Formatted message"],
    ["what is said in brackets is said aside", "conditional", "Ferry Router (second try)"],
    ["the noun before \"for\" is the deed", "validate", "Ticket verification for ferries"],
    ["a service's name in front of its part is no verb", "aggregate", "Google Sheets: Merge tide rows"],
    ["a spaced slash parts alternatives", "conditional", "Board / wait"],
    ["emoji and step numbers are passed over", "summarize", "\u{1F4F0} 2. Summarize news"],
    ["British spelling is understood", "transform", "Normalise addresses"],
  ])("%s", (_, intent, text) => expect(intentOf(text)).toBe(intent));
});

describe("what is said around the verb", () => {
  it.each<[string, Intent, string]>([
    ["a verb and its particle may be parted by the object", "summarize", "Boil the minutes of the council down for the press"],
    ["a particle behind \"and\" belongs to another verb", "send", "Send the pass and sort the rest out"],
    ["the source may stand before the order", "extract", "From the logbook page, list all ports"],
    ["what is kept in a store is looked up", "enrich", "Get the skipper's licence from the register"],
    ["what stands in a text is taken out", "extract", "Get the skipper's name from the letter"],
    ["one of many is chosen from a list", "filter", "Take the first name from the list"],
    ["taking from a text is no choice", "extract", "Take the berth number from the letter"],
    ["what was fetched is for the deed behind it", "send", "Fetch the forecast and post it"],
    ["an opening deed leaves the work to what follows", "validate", "Go through the ledger and verify each sum"],
    ["a length behind a preposition asks for a summary", "summarize", "Tell the crew in two sentences how it went"],
    ["a bound of a choice is no length", "filter", "Drop logs with fewer than three lines"],
    ["a question to oneself decides", "conditional", "Should we reply"],
    ["a polite question orders", "enrich", "Could we look up the harbour master"],
    ["a compound of a test validates", "validate", "Leak check"],
    ["looking for defects validates", "validate", "Look for mistakes in the manifest"],
    ["a quality last in a name validates", "validate", "Ticket validity"],
    ["turning to a person sends", "send", "Call the supplier"],
    ["a place or bound said of something decides", "conditional", "Over limit"],
    ["an irregular participle states", "conditional", "Cargo lost"],
    ["a particle behind a participle states", "conditional", "Guest checked out"],
    ["a compared noun decides", "conditional", "Count > 7"],
    ["\"no\" in front states", "conditional", "No new messages"],
    ["exceptions of all filter", "filter", "Everything but the ferries is discarded"],
    ["a time in a name without a deed filters", "filter", "Arrivals today"],
    ["\"re-\" repeats a verb", "aggregate", "Recombine timetables"],
    ["the doer behind a summary makes one", "summarize", "Voyage summary writer"],
    ["a doer's object in front is no deed", "generate", "Newsletter writer"],
    ["a passive may have its article before an adjective", "generate", "A new map of the harbour is drawn"],
    ["totals that are summed up are counted", "aggregate", "Sum up the hours"],
    ["a short question asks about its verb", "conditional", "Repaint hull?"],
    ["a comparison names what is compared", "conditional", "Cargo report length > 40"],
    ["\"equals\" behind a verb may assign", "transform", "Set deck = upper"],
    ["a bound of many chooses among them", "filter", "Ships over 50 metres"],
    ["a bound of one decides", "conditional", "Draught over limit"],
    ["what happened since decides", "conditional", "Manifest changed since Monday"],
    ["an adjective and a plural choose", "filter", "Overdue ferries"],
    ["what nothing was done to is chosen", "filter", "Unmoored boats"],
    ["a check of a situation decides", "conditional", "Weekday check"],
    ["a check of a quality validates", "validate", "Check seaworthiness"],
    ["defects that are detected validate", "validate", "Leak anomaly detection"],
    ["confirming to someone sends", "send", "Confirm berth to the guest"],
    ["what a message says is no statement", "send", "Telegram: harbour closed"],
    ["asking a person sends", "send", "Ask the driver for the permit"],
    ["messaging a model lets it write", "generate", "Message a model"],
    ["what a model is named before is its answer", "generate", "Claude reply"],
    ["the wording of a message is written", "generate", "Email wording"],
    ["\"one per\" chooses, \"one row per\" splits", "transform", "One row per crate"],
    ["array made from many gathers", "aggregate", "Array from rows"],
    ["a full list gathers", "aggregate", "Full passenger list"],
    ["a list of things gathers", "aggregate", "Create list of ports"],
    ["added from a store it enriches", "enrich", "Add berth columns from registry"],
    ["a field that is added transforms", "transform", "Add suffix to cabin"],
    ["by a key it is looked up", "enrich", "Depth by coordinates"],
    ["names in a text are taken out", "extract", "Find names in caption"],
    ["a part of a text is taken out", "extract", "Get the body of the letter"],
    ["a form behind \"as\" transforms", "transform", "As plain text"],
    ["a shortened link is no summary", "transform", "Shorten link"],
    ["a summary as a purpose is none", "extract", "Extract crew remarks for summary"],
    ["batching gathers, a batch deed is the deed", "aggregate", "Batch crates"],
    ["a picture's text is read", "extract", "Photo to text"],
    ["a looked-up service enriches", "enrich", "Shodan"],
  ])("%s", (_, intent, text) => expect(intentOf(text)).toBe(intent));
});

describe("confidence", () => {
  it("is low and the intent `generate` where no word is known", () => {
    expect(classifyByPatterns("Qwrt zpl")).toEqual({ intent: "generate", confidence: NO_EVIDENCE_CONFIDENCE, alternatives: [], known: false });
    expect(classifyByPatterns("").known).toBe(false);
  });

  it("is higher for a plain order than for one that can be read in two ways", () => {
    const plain = classifyByPatterns("Convert currency to euro");
    const unclear = classifyByPatterns("Append customer data");
    expect(plain.confidence).toBeGreaterThan(unclear.confidence);
    expect(classifyByPatterns("Check seat").alternatives.map((guess) => guess.intent)).toContain("validate");
  });

  it("keeps to 0–1, adds up to at most 1 and falls from guess to guess, for any text", () => {
    const phrase = fc.array(fc.constantFrom("send", "if", "only", "email", "merge", "to", "json", "?", ":", " - ", "check", "summary", "\ud83d", "é", "1", "="), { maxLength: 30 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(fc.oneof(phrase, fc.string({ unit: "binary", maxLength: 200 })), (text) => {
        const ranking = classifyByPatterns(text);
        const all = [ranking, ...ranking.alternatives];
        expect(all.reduce((sum, guess) => sum + guess.confidence, 0)).toBeLessThanOrEqual(1.01);
        expect(all.every((guess, index) => guess.confidence > 0 && (index === 0 || guess.confidence <= all[index - 1]!.confidence))).toBe(true);
        expect(new Set(all.map((guess) => guess.intent)).size).toBe(all.length);
        expect(classifyByPatterns(text)).toEqual(ranking);
      }),
      { numRuns: 300 },
    );
  });
});
