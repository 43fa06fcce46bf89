/** Digits of a time in milliseconds to the base of 36: enough for more than three thousand years. */
const TIME_DIGITS = 9;

/**
 * An id that grows with time. What is stored under such ids at about the same time stands together: at places of chance each would be a page
 * of its tables and indexes to read and write by itself.
 * @param prefix what the id is of, such as `wf_`
 * @param at Unix milliseconds
 * @param random what makes it one of its own
 */
export function orderedId(prefix: string, at: number, random: string): string {
  return `${prefix}${at.toString(36).padStart(TIME_DIGITS, "0")}${random}`;
}
