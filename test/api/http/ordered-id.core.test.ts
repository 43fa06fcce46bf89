import { expect, test } from "vitest";
import { orderedId } from "../../../src/api/http/ordered-id.ts";
import { WorkflowId } from "../../../src/workflow/spec/spec.ts";

test("ids of later times come later in the order of texts, whatever is random in them, and are ids of workflows", () => {
  const times = [0, 35, 36, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) + 1, Date.UTC(2059, 6, 1), Date.UTC(5000, 0, 1)];
  const ids = times.map((at, index) => orderedId("wf_", at, (index % 2 === 0 ? "z" : "0").repeat(32)));
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) expect(WorkflowId.safeParse(id).success).toBe(true);
});
