import { expect, test } from "vitest";
import { answer, http, kill, listen, openWorkflow, query, readLog, start, transform, view } from "../open-workflow.ts";

test("small and large steps, a retry by hand and ends of memory between them leave one log and the newest outputs", async () => {
  let isDown = true;
  const flaky = http(listen(() => (isDown ? new Response("no", { status: 400 }) : answer("z".repeat(20_000)))));
  let workflow = openWorkflow();
  await start(workflow, [
    { id: "small", agent: "one" },
    { id: "large", agent: "big", dependsOn: ["small"] },
    { id: "flaky", agent: "flaky", dependsOn: ["large"] },
    { id: "last", agent: "join", dependsOn: ["small", "large", "flaky"] },
  ], { agents: { one: transform("1"), big: http(listen(() => answer("x".repeat(18_000)))), flaky, join: transform("[tasks.small.output, tasks.large.output, tasks.flaky.output]") } });
  expect((await view(workflow, 5_000)).error).toMatchObject({ taskId: "flaky" });
  const before = await readLog(workflow);
  workflow = await kill(workflow);
  expect(await readLog(workflow)).toEqual(before);
  isDown = false;
  await workflow.retryTask("flaky");
  expect((await view(workflow, 5_000)).status).toBe("completed");
  const ended = await view(workflow);
  const log = await readLog(workflow);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
  expect(log.slice(0, before.length)).toEqual(before);
  expect((await workflow.readTask("last")) as unknown).toMatchObject({ output: [1, "x".repeat(18_000), "z".repeat(20_000)] });
  workflow = await kill(workflow);
  expect(await view(workflow)).toEqual(ended);
  expect(await readLog(workflow)).toEqual(log);
  expect((await query(workflow, "SELECT count(*) AS count FROM outputs"))[0]!["count"]).toBeGreaterThan(0);
  expect((await query(workflow, "SELECT count(*) AS count FROM events WHERE changes IS NOT NULL"))[0]!["count"]).toBeGreaterThan(0);
});
