/** The least that a gateway can do: passes each request on as it came. What is beyond it is the price of routing, pricing and measuring. */

// oxlint-disable-next-line import/no-default-export -- the runtime looks for a worker there
export default {
  async fetch(request: Request, env: { UPSTREAM: string }): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") return Response.json({ ok: true });
    const { method, headers, body } = request;
    return fetch(`${env.UPSTREAM}${pathname}`, { method, headers, body });
  },
};
