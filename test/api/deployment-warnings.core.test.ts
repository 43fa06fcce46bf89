import { describe, expect, test } from "vitest";
import { createTestApi } from "./fake-ports.ts";

async function warningsAt(origins: string[], allowPrivateOrigins: boolean): Promise<number> {
  const { app, world } = createTestApi({ allowPrivateOrigins });
  for (const origin of origins) await app.request(`${origin}/healthz`);
  return world.log.filter((event) => event.event === "configuration.warned" && event.message.includes("ALLOW_PRIVATE_ORIGINS")).length;
}

describe("ALLOW_PRIVATE_ORIGINS", () => {
  test.each(["https://weft.example.com", "http://192.168.1.7:8787", "https://weft.workers.dev", "https://127.0.0.1.example.com", "https://localhost.example.com"])(
    "set on a server that is reached as %s is warned of, once",
    async (origin) => {
      expect(await warningsAt([origin, origin, origin], true)).toBe(1);
    },
  );

  test.each(["http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:8787", "http://weft.localhost", "http://127.3.2.1"])("set on one that is reached as %s is as it should be", async (origin) => {
    expect(await warningsAt([origin], true)).toBe(0);
  });

  test("local requests do not use the warning up", async () => {
    expect(await warningsAt(["http://127.0.0.1:8787", "https://weft.example.com"], true)).toBe(1);
  });

  test("not set is no reason to warn", async () => {
    expect(await warningsAt(["https://weft.example.com"], false)).toBe(0);
  });
});
