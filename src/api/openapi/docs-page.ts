import type { OpenApi, Operation, Schema } from "./openapi.ts";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 0.375rem; }
details { margin: 0.5rem 0; } summary { cursor: pointer; } summary code { font-weight: 600; }
dt { margin-top: 0.5rem; } dd { margin-left: 1.5rem; }
`;

/** The OpenAPI document as one page of plain HTML: no script, nothing loaded from anywhere. */
export function renderDocsPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ heading: `${method.toUpperCase()} ${path}`, operation })),
  );
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags))];
  const sections = tags.map((tag) => {
    const entries = operations.filter(({ operation }) => operation.tags.includes(tag)).map(({ heading, operation }) => renderOperation(heading, operation));
    return `<h2>${escapeHtml(tag)}</h2>${entries.join("")}`;
  });
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `<details><summary><code>${escapeHtml(name)}</code></summary><div id="${escapeHtml(name)}">${renderSchema(schema)}</div></details>`,
  );
  const title = `${escapeHtml(document.info.title)} API`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1><p>${escapeHtml(document.info.description)} Send <code>Authorization: Bearer &lt;key&gt;</code>. The same as JSON: <a href="/openapi.json">openapi.json</a>.</p>
${sections.join("\n")}<h2>Schemas</h2>${schemas.join("")}</body></html>`;
}

function renderOperation(heading: string, operation: Operation): string {
  const parameters = operation.parameters.map(
    ({ name, in: place, description, schema }) => `<dt><code>${escapeHtml(name)}</code> in ${place}</dt><dd>${escapeHtml(description ?? JSON.stringify(schema))}</dd>`,
  );
  const body = operation.requestBody?.content["application/json"]?.schema;
  const responses = Object.entries(operation.responses).map(([status, { description, content }]) => {
    const schema = Object.values(content ?? {})[0]?.schema;
    return `<dt><code>${status}</code> ${escapeHtml(description)}</dt>${schema === undefined || status >= "400" ? "" : `<dd>${renderSchema(schema)}</dd>`}`;
  });
  return `<details><summary><code>${escapeHtml(heading)}</code> ${escapeHtml(operation.summary)}</summary>
${parameters.length === 0 ? "" : `<h3>Parameters</h3><dl>${parameters.join("")}</dl>`}
${body === undefined ? "" : `<h3>Body</h3>${renderSchema(body)}`}<h3>Answers</h3><dl>${responses.join("")}</dl></details>`;
}

function renderSchema(schema: Schema): string {
  const reference = schema["$ref"];
  if (typeof reference === "string") {
    const name = escapeHtml(reference.slice(reference.lastIndexOf("/") + 1));
    return `<a href="#${name}">${name}</a>`;
  }
  return `<pre>${escapeHtml(JSON.stringify(schema, null, 2))}</pre>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
