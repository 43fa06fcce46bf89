/**
 * Where a Worker may send requests on a tenant's behalf. Names are judged as written: a Worker can neither see nor pin
 * what DNS answers, so a public name that resolves to a private address is out of reach of this check.
 */

/** What kind of place a host is. `private`: networks and names that only insiders reach; `reserved`: nowhere an agent can live. */
type HostKind = "public" | "loopback" | "private" | "metadata" | "reserved";

/** Names that only an internal resolver answers (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`, and common suffixes of homes, offices and clusters). */
const PRIVATE_SUFFIXES = [
  ...["local", "localdomain", "localdomain4", "localdomain6", "localnet", "lan", "internal", "intranet", "intra", "private", "priv", "corp", "home", "mail"],
  ...["arpa", "svc", "consul"],
];

/** Public names made to answer with whatever address is written in them, or always with loopback. No list of such names is whole; these are the well-known ones. */
const MIRROR_SUFFIXES = ["nip.io", "sslip.io", "xip.io", "traefik.me", "backname.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "local.gd", "yoogle.com"];

/** Hosts at which cloud providers hand out a machine's credentials. Some of the addresses are not in any private range. */
const METADATA_HOSTS = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "metadata.tencentyun.com",
  "metadata.platformequinix.com",
  "metadata.packet.net",
  "api.metadata.cloud.ibm.com",
  "instance-data",
  "instance-data.ec2.internal",
  "rancher-metadata",
  "169.254.169.254",
  "169.254.170.2",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "[fd00:ec2::23]",
  "[fd00:ec2::254]",
  "[fd00:42::42]",
  "[fd20:ce::254]",
]);

/** Address, prefix length, kind: what of IPv4 is not public (IANA special-purpose registry). */
const IPV4_BLOCKS: readonly (readonly [string, number, HostKind])[] = [
  ["0.0.0.0", 8, "private"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "private"],
  ["127.0.0.0", 8, "loopback"],
  ["169.254.0.0", 16, "reserved"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "reserved"],
  ["192.0.2.0", 24, "reserved"],
  ["192.88.99.0", 24, "reserved"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "reserved"],
  ["198.51.100.0", 24, "reserved"],
  ["203.0.113.0", 24, "reserved"],
  ["224.0.0.0", 4, "reserved"],
  ["240.0.0.0", 4, "reserved"],
];

/**
 * Why a request may not be sent to `url`, or null when it may. The reason says what to change.
 * `allowPrivate` (local work only) also allows http and loopback; never other private networks, metadata or reserved addresses.
 */
export function checkOutboundUrl(url: string, options: { allowPrivate: boolean }): string | null {
  // The parser strips tabs and line breaks, turns backslashes into slashes and adds or drops slashes: what a reader sees would not be what is called.
  if (/[\u0000-\u0020\u007f\\]/.test(url)) return "must not contain white space, control characters or backslashes: percent-encode them";
  if (!URL.canParse(url)) return "is no absolute URL: write it like https://agents.example.com/run";
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "https:" && protocol !== "http:") return `uses ${protocol.slice(0, -1)}: use https`;
  const authority = /^[a-z]+:\/\/([^/?#]+)/i.exec(url)?.[1];
  if (authority === undefined) return "has no host after two slashes: write it like https://agents.example.com/run";
  if (authority.includes("@")) return "must not contain a user name or password: send credentials in a header";
  if (protocol === "http:" && !options.allowPrivate) return "uses http: use https";
  if (port === "0") return "has the port 0, at which nothing can listen";
  return checkHost(hostname, options.allowPrivate);
}

/** Letters, digits, hyphens and underscores between single dots, of the lengths that DNS can carry; or an IPv6 address. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$|^\[[0-9a-f:]+\]$/;

function checkHost(hostname: string, allowPrivate: boolean): string | null {
  const host = hostname.replace(/\.+$/, "");
  if (!HOST_NAME.test(host)) return `${hostname.slice(0, 253)} is no host name: use a public one`;
  switch (classifyHost(host)) {
    case "metadata":
      return `${hostname} is a cloud metadata host: use the public address of your server`;
    case "reserved":
      return `${hostname} is a reserved, link-local, multicast or translated address: use a public host name`;
    case "loopback":
      return allowPrivate ? null : `${hostname} is a loopback host: use a public host name`;
    case "private":
      return `${hostname} is a private or internal host: use a public host name`;
    case "public":
      return host === hostname || allowPrivate ? null : `${hostname} ends with a dot: leave it out`;
  }
}

/** `host` as the URL parser normalised it (lower case, IPv4 in four decimals, IPv6 in brackets), without trailing dots. */
function classifyHost(host: string): HostKind {
  if (METADATA_HOSTS.has(host)) return "metadata";
  if (host.startsWith("[")) return classifyIpv6(parseIpv6(host.slice(1, -1)));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return classifyIpv4(parseIpv4(host));
  if (host.endsWith(".metadata.google.internal")) return "metadata";
  if (host === "localhost" || host.endsWith(".localhost")) return "loopback";
  if (!host.includes(".") || [...PRIVATE_SUFFIXES, ...MIRROR_SUFFIXES].some((suffix) => host === suffix || host.endsWith(`.${suffix}`))) return "private";
  return "public";
}

function classifyIpv4(address: number): HostKind {
  for (const [base, prefixLength, kind] of IPV4_BLOCKS) {
    const hostBits = 32 - prefixLength;
    if (address >>> hostBits === parseIpv4(base) >>> hostBits) return kind;
  }
  return "public";
}

/** Eight groups of 16 bits. Only global unicast (2000::/3) can be public, less what is carved out of it. */
function classifyIpv6(groups: number[]): HostKind {
  const [first = 0, second = 0] = groups;
  if (groups.slice(0, 7).every((group) => group === 0) && (groups[7] ?? 0) <= 1) return groups[7] === 1 ? "loopback" : "private";
  if (first >= 0xfc00 && first <= 0xfdff) return "private";
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return classifyMapped(groups);
  if (first < 0x2000 || first > 0x3fff) return "reserved";
  const carvedOut =
    (first === 0x2001 && second < 0x0200) || // protocol assignments, Teredo among them
    (first === 0x2001 && second === 0x0db8) || // documentation
    first === 0x2002 || // 6to4
    ((groups[4] === 0 || groups[4] === 0x0200) && groups[5] === 0x5efe) || // ISATAP: an IPv4 address in the last two groups
    (first === 0x3fff && second < 0x1000); // documentation
  return carvedOut ? "reserved" : "public";
}

/** An IPv4 address written as IPv6: never public, since the plain spelling exists; a metadata host stays one. */
function classifyMapped(groups: number[]): HostKind {
  const address = (((groups[6] ?? 0) << 16) | (groups[7] ?? 0)) >>> 0;
  const dotted = [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
  if (METADATA_HOSTS.has(dotted)) return "metadata";
  const kind = classifyIpv4(address);
  return kind === "loopback" || kind === "private" ? kind : "reserved";
}

function parseIpv4(dotted: string): number {
  return dotted.split(".").reduce((address, part) => address * 256 + Number(part), 0);
}

function parseIpv6(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const parseGroups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const left = parseGroups(head);
  if (tail === undefined) return left;
  const right = parseGroups(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}
