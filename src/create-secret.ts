const SECRET_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Random bytes in stock: asked for one secret at a time, most of the time would go into the asking. Each is used once. */
const randomBytes = new Uint8Array(4_096);
let usedBytes = randomBytes.byteLength;

/** 32 letters and digits that nobody can guess: 190 random bits. */
export function createSecret(): string {
  let secret = "";
  while (secret.length < 32) {
    if (usedBytes === randomBytes.byteLength) {
      crypto.getRandomValues(randomBytes);
      usedBytes = 0;
    }
    const byte = randomBytes[usedBytes]!;
    randomBytes[usedBytes] = 0;
    usedBytes += 1;
    // Of 256 values 62 divide 248: the rest would favour some letters.
    if (byte < 248) secret += SECRET_LETTERS.charAt(byte % 62);
  }
  return secret;
}
