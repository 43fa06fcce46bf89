/** The least that a gateway can do: passes each request on as it came. What is beyond it is the price of routing, pricing and measuring. */

// oxlint-disable-next-line import/no-default-export -- the runtime looks for a worker there
export default {
  async fetch(request: Request, env: { UPSTREAM: string }): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") return Response.json({ ok: true });
    const { method, headers, body } = request;
    const response = await fetch(`${env.UPSTREAM}${pathname}`, { method, headers, body });
    return headers.has("x-relay") && response.body !== null ? new Response(relay(response.body), response) : response;
  },
};

/** With `x-relay` the answer goes through JavaScript piece by piece, as it must where anybody looks at it, and nobody looks. */
function relay(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}
