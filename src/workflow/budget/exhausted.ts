import type { Failure } from "../../errors.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import type { Amount, Cap } from "./amount.ts";

/** Why a call or task whose least need is more than can be had is not run; `details` has the figures. */
export function failExhausted(need: Amount, room: Cap): Failure {
  const left = [...(room.nanoUsd === null ? [] : [`$${room.nanoUsd / NANO_USD_PER_USD}`]), ...(room.tokens === null ? [] : [`${room.tokens} tokens`])].join(" and ");
  return {
    code: "budget_exhausted",
    message: `the budget is used up: $${need.nanoUsd / NANO_USD_PER_USD} and ${need.tokens} tokens are needed at least, and ${left} can be had; raise the budget or ask for less`,
    retryable: false,
    details: { neededUsd: need.nanoUsd / NANO_USD_PER_USD, neededTokens: need.tokens, remainingUsd: room.nanoUsd === null ? null : room.nanoUsd / NANO_USD_PER_USD, remainingTokens: room.tokens },
  };
}
