import { Agent, request } from "node:http";

export interface HttpAnswer {
  status: number;
  text: string;
}

/** One request over kept connections. `node:http`, because on two cores a dearer client would be part of what is measured. */
export type Send = (method: string, url: string, options?: { headers?: Record<string, string>; body?: object }) => Promise<HttpAnswer>;

export function createHttpClient(): { send: Send; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const send: Send = (method, url, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? null : Buffer.from(JSON.stringify(body));
      const sized = payload === null ? {} : { "content-type": "application/json", "content-length": String(payload.length) };
      const outgoing = request(url, { method, agent, headers: { ...headers, ...sized } }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }));
      });
      outgoing.on("error", reject);
      outgoing.end(payload ?? undefined);
    });
  return { send, close: () => agent.destroy() };
}
