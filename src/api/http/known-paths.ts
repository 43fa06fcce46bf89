import type { Endpoint } from "../endpoint.ts";

/** What is served at a path. */
export interface KnownPath {
  /** HEAD with GET. */
  methods: readonly string[];
  /** Nothing at it needs a key. */
  isPublic: boolean;
}

/** Looks up what is at a path, whatever the method; null where nothing is. Asked for requests that no endpoint takes. */
export function createKnownPaths(endpoints: readonly Endpoint[]): (path: string) => KnownPath | null {
  const patterns = endpoints.map(({ path, method, access }) => ({ pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}$`), method, isPublic: access === "public" }));
  return (path) => {
    const found = patterns.filter(({ pattern }) => pattern.test(path));
    if (found.length === 0) return null;
    return { methods: found.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])), isPublic: found.every(({ isPublic }) => isPublic) };
  };
}
