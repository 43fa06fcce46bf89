/** Runs one statement. */
type Exec = (statement: string, ...parameters: SqlStorageValue[]) => unknown;

/** Longest text in one bound parameter: SQLite in a Durable Object takes values up to 2 MB, and a character has up to three bytes. */
export const MAX_PARAMETER_CHARS = 500_000;
/** From here on a text is a parameter of its own. */
const LONG_TEXT_CHARS = 100_000;

/** One statement for many rows, passed as a JSON array: far cheaper than a statement a row. */
export function insertRows(exec: Exec, statement: string, rows: readonly (readonly unknown[])[]): void {
  for (const part of cutRows(rows, Infinity)) exec(statement, `[${part.join(",")}]`);
}

/** Rows of a key and a JSON text, which stays as it is, however deep its values lie. Long ones alone: as part of another text they would grow. */
export function insertTexts(exec: Exec, table: "documents" | "agents" | "tasks", rows: readonly (readonly [string | number, string])[]): void {
  const short = rows.filter(([, json]) => json.length < LONG_TEXT_CHARS);
  insertRows(exec, `INSERT OR REPLACE INTO ${table} SELECT value ->> 0, value ->> 1 FROM json_each(?)`, short);
  for (const [key, json] of rows) if (json.length >= LONG_TEXT_CHARS) exec(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`, key, json);
}

/** The items as JSON texts, in parts that fit one parameter and have at most `maxItems`. */
export function cutRows(items: readonly unknown[], maxItems: number): string[][] {
  const parts: string[][] = [];
  let length = Infinity;
  for (const item of items) {
    const json = JSON.stringify(item);
    if (length + json.length > MAX_PARAMETER_CHARS || parts.at(-1)!.length >= maxItems) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)!.push(json);
    length += json.length + 1;
  }
  return parts;
}
