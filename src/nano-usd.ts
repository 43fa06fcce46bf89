/** Inside, money is integer nano-dollars; at the edges it is US dollars (contract). */
export const NANO_USD_PER_USD = 1_000_000_000;
