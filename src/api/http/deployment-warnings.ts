import type { ApiDeps } from "../api-deps.ts";
import { readCorsPolicy } from "./cors.ts";

const PRIVATE_ORIGINS_WARNING =
  "ALLOW_PRIVATE_ORIGINS is set and this server is reached from outside: whoever has a key can make it call loopback addresses, and any over http. Unset it; it is for local work only.";

/** Addresses on one's own machine. An object of the address would cost every local request several times this. */
const IS_LOOPBACK = /^https?:\/\/(?:(?:[^/:]+\.)?localhost|\[::1\]|127\.\d+\.\d+\.\d+)(?::\d+)?\//;

/**
 * Looks at requests for signs of settings that are wrong for where this runs, and says so in the log, each once per isolate.
 * Whether this is somebody's own machine is told by the host of the request: the platform routes by it, so nobody reaches a
 * deployment as `localhost`.
 */
export function createDeploymentWarnings(deps: Pick<ApiDeps, "allowPrivateOrigins" | "corsOrigins" | "publicUrl" | "log">): (request: Request) => void {
  const warn = (message: string): void => deps.log({ event: "configuration.warned", message });
  let due = listMalformed(deps);
  let isPrivateDue = deps.allowPrivateOrigins;
  return (request) => {
    due.forEach(warn);
    due = [];
    if (!isPrivateDue || IS_LOOPBACK.test(request.url)) return;
    warn(PRIVATE_ORIGINS_WARNING);
    isPrivateDue = false;
  };
}

/** What is wrong with the settings, whoever asks. */
function listMalformed({ corsOrigins, publicUrl }: Pick<ApiDeps, "corsOrigins" | "publicUrl">): string[] {
  const { malformed } = readCorsPolicy(corsOrigins);
  const isAddress = publicUrl === null || publicUrl === "" || (/^https?:\/\//.test(publicUrl) && URL.canParse(publicUrl));
  return [
    ...(malformed.length === 0 ? [] : [`CORS_ORIGINS: ${malformed.map((entry) => JSON.stringify(entry)).join(", ")} allows nothing: write origins like https://app.example.com with commas between, or * alone.`]),
    ...(isAddress ? [] : [`PUBLIC_URL: ${JSON.stringify(publicUrl)} is no address, and agents in callback mode are told to answer there: write it like https://weft.example.com, or unset it.`]),
  ];
}
