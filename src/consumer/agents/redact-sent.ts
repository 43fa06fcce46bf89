/** Shortest value, or word of one, that is blotted out: shorter ones are no secrets, and blotting them garbles the text. */
const MIN_REDACTED_CHARS = 4;

/** A signature of Standard Webhooks. Who reads an agent's callback no longer knows the one of its call. */
const SIGNATURE = /\bv1,[A-Za-z0-9+/]{43}=/g;

/** What an agent says, without the header values, signatures and tokens that it was sent and may echo, whole, in words or as JSON writes them. */
export function redactSent(text: string, sent: readonly string[]): string {
  const words = sent.flatMap((value) => [value, ...value.split(/[\s,;=]+/), ...decodeBasic(value)]).flatMap((word) => [word, JSON.stringify(word).slice(1, -1)]);
  const secrets = [...new Set(words)].filter((word) => word.length >= MIN_REDACTED_CHARS).sort((a, b) => b.length - a.length);
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "•••"), text.replaceAll(SIGNATURE, "•••"));
}

/** User name and password of HTTP's basic authentication, which servers like to quote decoded. */
function decodeBasic(value: string): string[] {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value)?.[1];
  if (encoded === undefined || encoded.replace(/=+$/, "").length % 4 === 1) return [];
  const credentials = atob(encoded.replace(/=+$/, ""));
  return [credentials, credentials.slice(credentials.indexOf(":") + 1)];
}
