/** Integer nano-dollars (1e-9 USD), and tokens: input and output together, cached and reasoning included. */
export interface Amount {
  nanoUsd: number;
  tokens: number;
}

/** A hard ceiling; null: none. */
export interface Cap {
  nanoUsd: number | null;
  tokens: number | null;
}

export const NO_CAP: Cap = { nanoUsd: null, tokens: null };
