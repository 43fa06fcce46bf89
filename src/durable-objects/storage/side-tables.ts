type Row = Record<string, SqlStorageValue>;

/**
 * Tables that most workflows never use, made together with the first row that goes into one of them: to make all of them for each new workflow cost
 * more than any other statement of its creation. Where they are not there, nothing is found in them, and nothing is to be changed.
 */
export class SideTables {
  readonly #sql: SqlStorage;
  /** One of them. */
  readonly #name: string;
  readonly #schema: string;
  #areThere: boolean | null = null;

  constructor(sql: SqlStorage, { name, schema }: { name: string; schema: string }) {
    this.#sql = sql;
    this.#name = name;
    this.#schema = schema;
  }

  get areThere(): boolean {
    this.#areThere ??= this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", this.#name).toArray().length > 0;
    return this.#areThere;
  }

  /** Must run inside a transaction. */
  make(): void {
    if (this.areThere) return;
    this.#sql.exec(this.#schema);
    this.#areThere = true;
  }

  /** Forgets whether they are there: a transaction that made them was undone, or all was removed. */
  forget(): void {
    this.#areThere = null;
  }

  /** Runs a statement that finds, changes or removes rows: all but one that adds some. */
  run(statement: string, ...parameters: SqlStorageValue[]): Row[] {
    return this.areThere ? this.#sql.exec(statement, ...parameters).toArray() : [];
  }

  /** Runs a statement that adds rows. */
  readonly add = (statement: string, ...parameters: SqlStorageValue[]): void => {
    this.make();
    this.#sql.exec(statement, ...parameters);
  };
}
