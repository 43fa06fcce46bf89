/** Seeded randomness: the same seed and the same questions give the same answers. */
export interface Random {
  /** In [0, 1). */
  next: () => number;
  chance: (probability: number) => boolean;
  /** A whole number from `least` to `most`, both included. */
  between: (least: number, most: number) => number;
  pick: <Item>(items: readonly Item[]) => Item;
}

/** A generator of its own for each list of numbers, so that one question more here changes no answer there. */
export function createRandom(...seeds: readonly number[]): Random {
  let state = seeds.reduce((mixed, seed) => scramble(mixed ^ scramble(seed + 0x9e37_79b9)), 0);
  const next = (): number => {
    state = (state + 0x9e37_79b9) | 0;
    return (scramble(state) >>> 0) / 0x1_0000_0000;
  };
  return {
    next,
    chance: (probability) => probability > 0 && next() < probability,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick: (items) => items[Math.floor(next() * items.length)]!,
  };
}

/** The finalizer of MurmurHash3 (32 bits): every bit of the input changes about half of the output. */
function scramble(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
