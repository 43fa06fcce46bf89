import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("SECURITY.md", "utf8");
const files = ["src", "test"].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`));

test("what the page on security names as defence or as test is there", () => {
  const named = [...page.matchAll(/`([\w./-]+(?:\.ts|\.toml|\/))`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(50);
  // A file beside the one named before it stands without its folder.
  expect(named.filter((path) => !existsSync(path) && !files.some((file) => file.endsWith(`/${path}`)))).toEqual([]);
});
