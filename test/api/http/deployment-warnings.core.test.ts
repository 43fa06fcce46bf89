import { describe, expect, test } from "vitest";
import { createTestApi } from "../fake-ports.ts";

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

describe("PUBLIC_URL", () => {
  const warned = async (publicUrl: string | null): Promise<string[]> => {
    const { app, world } = createTestApi({ publicUrl });
    for (let time = 0; time < 2; time += 1) await app.request("https://weft.example.com/healthz");
    return world.log.flatMap((event) => (event.event === "configuration.warned" && event.message.includes("PUBLIC_URL") ? [event.message] : []));
  };

  test.each(["weft.example.com", "ftp://weft.example.com", "https://", "//weft.example.com"])("that is no address (%s) is warned of, once", async (publicUrl) => {
    expect(await warned(publicUrl)).toEqual([expect.stringContaining(JSON.stringify(publicUrl))]);
  });

  test.each([null, "", "https://weft.example.com", "https://example.com/weft/", "http://127.0.0.1:8787"])("that is one, or not set (%s), is as it should be", async (publicUrl) => {
    expect(await warned(publicUrl)).toEqual([]);
  });
});
