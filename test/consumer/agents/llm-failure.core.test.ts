import { APICallError } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { classifyError } from "../../../src/consumer/agents/llm-failure.ts";

const CALL = { provider: "p", model: "m", sentTexts: [], now: 0 };

function answered(statusCode: number): APICallError {
  return new APICallError({ message: "said something", url: "", requestBodyValues: {}, statusCode });
}

describe("a provider's refusal", () => {
  test.each([400, 413, 415, 422])("%i is final and says nothing of the model: the request is wrong", (status) => {
    expect(classifyError(answered(status), CALL)).toMatchObject({ failure: { code: "provider_rejected", retryable: false }, isHealthFailure: false, isInconclusive: true });
  });

  test.each([300, 401, 402, 403, 404, 410, 451])("%i is final, and may be the operator's doing", (status) => {
    const fault = classifyError(answered(status), CALL);
    expect(fault).toMatchObject({ failure: { code: "provider_rejected", retryable: false }, isHealthFailure: false });
    expect(fault.isInconclusive).toBeUndefined();
  });

  test.each([408, 409, 425, 429, 500, 502, 503, 529])("%i is transient and counts against the model", (status) => {
    const fault = classifyError(answered(status), CALL);
    expect(fault).toMatchObject({ failure: { code: "provider_unavailable", retryable: true }, isHealthFailure: true });
    expect(fault.isInconclusive).toBeUndefined();
  });

  test.each([
    ["of its own", { type: "invalid_request_error", message: "no" }],
    ["wrapped", { error: { type: "permission_error", message: "no" } }],
    ["by its code", { code: "content_policy_violation", message: "no" }],
  ])("inside a stream is known by its name (%s)", (_case, error) => {
    expect(classifyError(error, CALL)).toMatchObject({ failure: { code: "provider_rejected", message: "p (m) failed: no", retryable: false }, isHealthFailure: false });
  });

  test("of any other name is transient", () => {
    for (const error of [{ type: "overloaded_error", message: "no" }, new TypeError("fetch failed"), "gone", null]) {
      const fault = classifyError(error, CALL);
      expect(fault).toMatchObject({ failure: { code: "provider_unavailable", retryable: true }, isHealthFailure: true });
      expect(fault.isInconclusive).toBeUndefined();
    }
  });
});
