import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOutboundUrl } from "../../src/config/public-url.ts";
import { GOOD, HOSTILE } from "./outbound-urls.ts";

const PUBLIC_ONLY = { allowPrivate: false };
const ALLOW_PRIVATE = { allowPrivate: true };

describe("outbound URLs, public only", () => {
  for (const [group, urls] of Object.entries(HOSTILE)) {
    test.each(urls)(`refuses ${group}: %s`, (url) => {
      expect(checkOutboundUrl(url, PUBLIC_ONLY)).toEqual(expect.any(String));
    });
  }

  test.each(GOOD)("accepts %s", (url) => {
    expect(checkOutboundUrl(url, PUBLIC_ONLY)).toBeNull();
  });

  test.each([
    ["http://example.com/", /use https/],
    ["https://user@example.com/", /header/],
    ["https://localhost/", /public host name/],
    ["https://example.com./", /leave it out/],
    ["example.com", /write it like https:/],
  ])("says what to change about %s", (url, advice) => {
    expect(checkOutboundUrl(url, PUBLIC_ONLY)).toMatch(advice);
  });
});

describe("outbound URLs, those of local work allowed", () => {
  test.each([
    ...GOOD,
    "http://example.com/",
    "http://127.0.0.1:8787/echo",
    "http://localhost:11434/v1",
    "https://localhost/",
    "http://[::1]:8787/",
    "http://[::ffff:127.0.0.1]:8787/",
    "http://localhost./",
    "http://agents.localhost:8080/",
    "http://127.8.9.10/",
  ])("accepts %s", (url) => {
    expect(checkOutboundUrl(url, ALLOW_PRIVATE)).toBeNull();
  });

  test.each([
    "http://0.0.0.0:11434/",
    "http://10.1.2.3/",
    "http://192.168.0.10/",
    "http://[fd12::1]/",
    "http://[fc00::1]/",
    "http://[fdff:ffff::1]/",
    "http://ollama:11434/v1",
    "http://nas.local/",
    "https://10.0.0.1/",
    "http://172.16.0.1/",
    "http://100.64.0.1/",
    "http://[::]/",
    "http://[::ffff:192.168.1.1]/",
    "http://localtest.me/",
    "http://127.0.0.1.nip.io/",
    "http://host.docker.internal:8080/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "ws://localhost/",
    "http://user:password@127.0.0.1/",
    "http://user@localhost/",
    "http://169.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://metadata.google.internal/",
    "http://x.metadata.google.internal/",
    "http://metadata/",
    "http://instance-data/",
    "http://[fd00:ec2::254]/",
    "http://[fd00:ec2::23]/",
    "http://[::ffff:100.100.100.200]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1]/",
    "http://224.0.0.1/",
    "http://local host/",
    "localhost:8787",
  ])("still refuses %s", (url) => {
    expect(checkOutboundUrl(url, ALLOW_PRIVATE)).toEqual(expect.any(String));
  });
});

describe("every way to write an address", () => {
  const PRIVATE_BLOCKS: readonly (readonly [number, number])[] = [
    [0x00000000, 8],
    [0x0a000000, 8],
    [0x64400000, 10],
    [0x7f000000, 8],
    [0xa9fe0000, 16],
    [0xac100000, 12],
    [0xc0000000, 24],
    [0xc0a80000, 16],
    [0xc6120000, 15],
    [0xe0000000, 3],
  ];
  const privateAddress = fc.constantFrom(...PRIVATE_BLOCKS).chain(([base, bits]) => fc.integer({ min: 0, max: 2 ** (32 - bits) - 1 }).map((host) => base + host));
  const radix = fc.constantFrom((part: number) => String(part), (part: number) => `0x${part.toString(16)}`, (part: number) => `0X${part.toString(16).toUpperCase().padStart(8, "0")}`, (part: number) => `0${part.toString(8)}`);
  /** One to four parts: the last holds all bytes that the others leave. */
  const inParts = (address: number, count: number): number[] => {
    const parts = [24, 16, 8].slice(0, count - 1).map((shift) => (address >>> shift) & 0xff);
    return [...parts, address % 256 ** (5 - count)];
  };
  const disguise = fc.constantFrom(
    (text: string) => text,
    (text: string) => `${text}.`,
    (text: string) => text.replaceAll(".", "。"),
    (text: string) => [...text].map((character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`).join(""),
    (text: string) => text.replaceAll(/[0-9]/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
    (text: string) => `${text}:8443`,
  );

  test("of a private IPv4 address is refused", () => {
    const written = fc.tuple(privateAddress, fc.integer({ min: 1, max: 4 }), fc.array(radix, { minLength: 4, maxLength: 4 }), disguise);
    fc.assert(
      fc.property(written, ([address, count, radixes, hide]) => {
        const text = inParts(address, count).map((part, index) => radixes[index]!(part)).join(".");
        return checkOutboundUrl(`https://${hide(text)}/`, PUBLIC_ONLY) !== null;
      }),
      { numRuns: 2_000 },
    );
  });

  test("of any IPv4 address inside an IPv6 one is refused", () => {
    const prefix = fc.constantFrom("::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "2002:", "2001:0:", "2a00::5efe:", "2a00::200:5efe:", "fe80::5efe:");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), prefix, (address, start) => {
        const groups = [(address >>> 16).toString(16), (address & 0xffff).toString(16)].join(":");
        return checkOutboundUrl(`https://[${start}${groups}${/^(2002|2001)/.test(start) ? "::1" : ""}]/`, PUBLIC_ONLY) !== null;
      }),
      { numRuns: 2_000 },
    );
  });

  test("and any other text gets an answer, never an exception", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.webUrl(), fc.string().map((host) => `https://${host}/`), fc.ipV6().map((host) => `https://[${host}]/`));
    fc.assert(fc.property(text, (url) => ["string", "object"].includes(typeof checkOutboundUrl(url, PUBLIC_ONLY))), { numRuns: 2_000 });
  });
});
