import { expect, test } from "vitest";
import { createSecret } from "../src/create-secret.ts";

test("a secret is 32 letters and digits, of which none is favoured, and no two are alike", () => {
  const secrets = Array.from({ length: 4_000 }, createSecret);
  expect(secrets.every((secret) => /^[A-Za-z0-9]{32}$/.test(secret))).toBe(true);
  expect(new Set(secrets).size).toBe(secrets.length);
  const counts = new Map<string, number>();
  for (const letter of secrets.join("")) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  // 62 letters, 2,065 times each on average; eight standard deviations (45) to either side.
  expect(counts.size).toBe(62);
  expect(Math.min(...counts.values())).toBeGreaterThan(1_700);
  expect(Math.max(...counts.values())).toBeLessThan(2_430);
});
