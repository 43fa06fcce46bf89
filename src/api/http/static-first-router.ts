import type { Result, Router } from "hono/router";
import { TrieRouter } from "hono/router/trie-router";

/**
 * Looks a path without parameters up in a table before it walks the tree of all routes, which takes longer than anything else that is done
 * with a request before its handler. (Hono's own choice falls to the tree for all paths as soon as one has a parameter beside a fixed name.)
 */
export function createStaticFirstRouter<Handler>(): Router<Handler> {
  const fixed = new Map<string, Result<Handler>>();
  const tree = new TrieRouter<Handler>();
  return {
    name: "StaticFirstRouter",
    add(method, path, handler) {
      tree.add(method, path, handler);
      if (/[:*]/.test(path)) return;
      const key = `${method} ${path}`;
      if (fixed.has(key)) throw new Error(`there are two handlers for ${key}`);
      fixed.set(key, [[[handler, {}]]]);
    },
    match: (method, path) => fixed.get(`${method} ${path}`) ?? tree.match(method, path),
  };
}
