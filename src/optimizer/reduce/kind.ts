/** What a text is; decides the methods. */
export type ContentKind = "prose" | "documents" | "transcript" | "trajectory" | "log" | "json" | "code";
