// The API, readable: made from `openapi.json`, which is made from the code.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { get } from "../api/client";
import { useLoaded } from "../live/use";
import { Heading } from "../router";
import { Badge, Button, Loading, type Tone, Trouble } from "../ui/basics";
import { Icon } from "../ui/icons";
import { copy } from "../library/deeds";

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  example?: unknown;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  allOf?: Schema[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { summary?: string; description?: string; value?: unknown }>;
}

interface Parameter {
  $ref?: string;
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
  example?: unknown;
}

interface Reply {
  $ref?: string;
  description?: string;
  content?: Record<string, Media>;
  headers?: Record<string, { description?: string }>;
}

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { $ref?: string; required?: boolean; description?: string; content?: Record<string, Media> };
  responses?: Record<string, Reply>;
  security?: Record<string, string[]>[];
  deprecated?: boolean;
}

interface Document {
  info: { title: string; version: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, unknown>>;
  components?: Record<string, Record<string, unknown>>;
  security?: Record<string, string[]>[];
}

interface Entry {
  id: string;
  method: string;
  path: string;
  operation: Operation;
}

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const TONES: Record<string, Tone> = { get: "good", post: "busy", put: "warn", patch: "warn", delete: "bad" };
const DEEPEST = 5;

export function DocsPage(): JSX.Element {
  const loaded = useLoaded("openapi", (signal) => get<Document>("/openapi.json", { signal, quietly: true }));
  const [text, setText] = useState("");
  const api = loaded.value;
  useEffect(() => {
    // The part that the address names is there only now.
    if (api !== undefined && location.hash !== "") document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  }, [api]);
  if (api === undefined) {
    return (
      <div class="page">
        <Heading title="API" />
        {loaded.error === undefined ? <Loading /> : <Trouble error={loaded.error} again={loaded.reload} />}
      </div>
    );
  }
  const groups = grouped(api, text.trim().toLowerCase());
  return (
    <div class="page docs">
      <nav class="docs-ways" aria-label="Operations">
        <div class="search">
          <Icon name="search" size={18} />
          <input type="search" placeholder="Find an operation" aria-label="Find an operation" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </div>
        {groups.map(({ name, entries }) => (
          <details key={name} open={text !== ""}>
            <summary>{name}</summary>
            <ul>
              {entries.map(({ id, method, path, operation }) => (
                <li key={id}>
                  <a href={`#${id}`}>{operation.summary ?? `${method.toUpperCase()} ${path}`}</a>
                </li>
              ))}
            </ul>
          </details>
        ))}
      </nav>
      <div class="docs-text">
        <header class="page-head">
          <Heading title={api.info.title === "" ? "API" : `${api.info.title} API`}>API</Heading>
          <div class="row-of-buttons">
            <Badge>Version {api.info.version}</Badge>
            <a class="button plain" href="/api/v1/openapi.json" download="openapi.json">
              <span>OpenAPI 3.1</span>
            </a>
          </div>
        </header>
        {api.info.description !== undefined && <Prose text={api.info.description} />}
        {groups.length === 0 && <p class="quiet">Nothing of that name.</p>}
        {groups.map(({ name, description, entries }) => (
          <section key={name} class="docs-group" aria-label={name}>
            <h2>{name}</h2>
            {description !== undefined && <Prose text={description} />}
            {entries.map((entry) => (
              <Described key={entry.id} entry={entry} api={api} />
            ))}
          </section>
        ))}
      </div>
    </div>
  );
}

function Described({ entry, api }: { entry: Entry; api: Document }): JSX.Element {
  const { id, method, path, operation } = entry;
  const parameters = (operation.parameters ?? []).map((it) => found<Parameter>(api, it));
  const body = operation.requestBody === undefined ? undefined : found<NonNullable<Operation["requestBody"]>>(api, operation.requestBody);
  const replies = Object.entries(operation.responses ?? {}).map(([status, it]) => [status, found<Reply>(api, it)] as const);
  return (
    <article class="operation" id={id}>
      <h3>
        {operation.summary ?? `${method.toUpperCase()} ${path}`} {operation.deprecated === true && <Badge tone="warn">Old</Badge>}
      </h3>
      <p class="operation-line">
        <Badge tone={TONES[method] ?? "plain"}>{method.toUpperCase()}</Badge>
        <code>{path}</code>
        <a href={`#${id}`} class="anchor" aria-label={`Link to ${operation.summary ?? id}`}>
          #
        </a>
      </p>
      {operation.description !== undefined && <Prose text={operation.description} />}
      <p class="quiet">{access(operation.security ?? api.security)}</p>
      {parameters.length > 0 && (
        <>
          <h4>Parameters</h4>
          <dl class="members">
            {parameters.map((it) => (
              <div key={`${it.in} ${it.name}`}>
                <dt>
                  <code>{it.name}</code> <span class="quiet">{[it.in, typeName(it.schema, api), it.required === true ? "required" : ""].filter((word) => word !== "").join(", ")}</span>
                </dt>
                <dd>
                  {it.description !== undefined && <Prose text={it.description} />}
                  <Bounds schema={it.schema} />
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {body?.content !== undefined && (
        <>
          <h4>Body</h4>
          {body.description !== undefined && <Prose text={body.description} />}
          <Contents content={body.content} api={api} />
        </>
      )}
      <h4>Answers</h4>
      {replies.map(([status, reply]) => (
        <details key={status} class="reply">
          <summary>
            <Badge tone={status.startsWith("2") ? "good" : status.startsWith("3") ? "plain" : "bad"}>{status}</Badge> <Inline text={reply.description ?? ""} />
          </summary>
          {reply.headers !== undefined && (
            <dl class="members">
              {Object.entries(reply.headers).map(([name, it]) => (
                <div key={name}>
                  <dt>
                    <code>{name}</code> <span class="quiet">header</span>
                  </dt>
                  <dd>{it.description}</dd>
                </div>
              ))}
            </dl>
          )}
          {reply.content === undefined ? <p class="quiet">No body.</p> : <Contents content={reply.content} api={api} />}
        </details>
      ))}
    </article>
  );
}

function Contents({ content, api }: { content: Record<string, Media>; api: Document }): JSX.Element {
  return (
    <>
      {Object.entries(content).map(([type, media]) => {
        const examples = samples(media, api);
        return (
          <div key={type}>
            <p class="quiet">
              <code>{type}</code>
            </p>
            {media.schema !== undefined && <Members schema={media.schema} api={api} depth={0} />}
            {examples.map(({ name, value }) => (
              <Example key={name} name={name} value={value} />
            ))}
          </div>
        );
      })}
    </>
  );
}

function Example({ name, value }: { name: string; value: unknown }): JSX.Element {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <figure class="example">
      <figcaption>
        <span class="quiet">{name}</span>
        <Button kind="quiet" icon="copy" label={`Copy: ${name}`} onClick={() => void copy(text, "Example")} />
      </figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}

/** The members of an object, those inside of them folded away. */
function Members({ schema, api, depth }: { schema: Schema; api: Document; depth: number }): JSX.Element | null {
  const { properties, required } = whole(schema, api);
  const inside = whole(schema, api).items;
  if (properties === undefined) return inside === undefined || depth > DEEPEST ? null : <Members schema={inside} api={api} depth={depth + 1} />;
  return (
    <dl class="members">
      {Object.entries(properties).map(([name, member]) => {
        const it = whole(member, api);
        const deeper = it.properties ?? (it.items === undefined ? undefined : whole(it.items, api).properties);
        return (
          <div key={name}>
            <dt>
              <code>{name}</code> <span class="quiet">{[typeName(member, api), required?.includes(name) === true ? "" : "optional"].filter((word) => word !== "").join(", ")}</span>
            </dt>
            <dd>
              {it.description !== undefined && <Prose text={it.description} />}
              <Bounds schema={it} />
              {deeper !== undefined && Object.keys(deeper).length > 0 && depth < DEEPEST && (
                <details>
                  <summary>Members</summary>
                  <Members schema={it} api={api} depth={depth + 1} />
                </details>
              )}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function Bounds({ schema }: { schema: Schema | undefined }): JSX.Element | null {
  if (schema === undefined) return null;
  const { enum: choices, default: usual, minimum, maximum, minLength, maxLength } = schema;
  const parts = [
    choices === undefined ? "" : `one of ${choices.map(String).join(", ")}`,
    minimum === undefined ? "" : `at least ${minimum}`,
    maximum === undefined ? "" : `at most ${maximum}`,
    minLength === undefined || minLength === 0 ? "" : `at least ${minLength} characters`,
    maxLength === undefined ? "" : `at most ${maxLength} characters`,
    usual === undefined || usual === null ? "" : `usually ${JSON.stringify(usual)}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? null : <p class="quiet">{parts.join("; ")}</p>;
}

/** Text with the little of Markdown that comments in code have: paragraphs, lists, `code`. */
function Prose({ text }: { text: string }): JSX.Element {
  const blocks = text.trim().split(/\n\s*\n/);
  return (
    <>
      {blocks.map((block, index) => {
        const lines = block.split("\n");
        if (lines.every((line) => /^\s*[-*] /.test(line))) {
          return (
            <ul key={index}>
              {lines.map((line) => (
                <li key={line}>
                  <Inline text={line.replace(/^\s*[-*] /, "")} />
                </li>
              ))}
            </ul>
          );
        }
        return (
          <p key={index}>
            <Inline text={block} />
          </p>
        );
      })}
    </>
  );
}

function Inline({ text }: { text: string }): JSX.Element {
  const parts: ComponentChildren[] = text.split(/(`[^`]+`)/).map((part, index) => (part.startsWith("`") && part.length > 2 ? <code key={index}>{part.slice(1, -1)}</code> : part));
  return <>{parts}</>;
}

function grouped(api: Document, wanted: string): { name: string; description: string | undefined; entries: Entry[] }[] {
  const groups = new Map<string, Entry[]>();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      const operation = item[method] as Operation | undefined;
      if (operation === undefined) continue;
      const text = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`.toLowerCase();
      if (!text.includes(wanted)) continue;
      const [name = "other"] = operation.tags ?? [];
      const id = operation.operationId ?? `${method}-${path.replace(/[^a-z0-9]+/gi, "-")}`;
      groups.set(name, [...(groups.get(name) ?? []), { id, method, path, operation }]);
    }
  }
  const order = (api.tags ?? []).map(({ name }) => name);
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...groups.entries()]
    .sort(([a], [b]) => place(a) - place(b))
    .map(([name, entries]) => ({ name, description: api.tags?.find((tag) => tag.name === name)?.description, entries }));
}

function access(security: Record<string, string[]>[] | undefined): string {
  if (security === undefined || security.length === 0) return "Needs no authentication.";
  const names = security.flatMap((one) => Object.keys(one));
  const optional = security.some((one) => Object.keys(one).length === 0);
  const ways = [...new Set(names)].map((name) => (/cookie|session/i.test(name) ? "a session’s cookie" : /fleet/i.test(name) ? "the fleet key" : "a token (Authorization: Bearer …)"));
  return `${optional ? "Also without authentication; otherwise" : "Needs"} ${[...new Set(ways)].join(" or ")}.`;
}

/** What a reference stands for. */
function found<T extends object>(api: Document, it: T & { $ref?: string }): T {
  const seen = new Set<string>();
  let now: T & { $ref?: string } = it;
  while (typeof now.$ref === "string" && !seen.has(now.$ref)) {
    seen.add(now.$ref);
    const [, , kind = "", name = ""] = now.$ref.split("/");
    now = (api.components?.[kind]?.[decodeURIComponent(name)] ?? {}) as T;
  }
  return now;
}

/** A schema with what it is put together from. */
function whole(schema: Schema, api: Document, depth = 0): Schema {
  const it = found<Schema>(api, schema);
  if (depth > DEEPEST) return it;
  const choice = [...(it.oneOf ?? []), ...(it.anyOf ?? [])].filter((one) => one.type !== "null");
  const parts = [...(it.allOf ?? []), ...(choice.length === 1 ? choice : [])].map((part) => whole(part, api, depth + 1));
  if (parts.length === 0) return it;
  const merged = parts.reduce<Schema>(
    (all, part) => ({ ...all, ...part, properties: { ...all.properties, ...part.properties }, required: [...(all.required ?? []), ...(part.required ?? [])] }),
    {},
  );
  const properties = { ...merged.properties, ...it.properties };
  const { allOf: _, oneOf: __, anyOf: ___, ...own } = it;
  return { ...merged, ...own, ...(Object.keys(properties).length > 0 ? { properties } : {}), required: [...(merged.required ?? []), ...(it.required ?? [])] };
}

function typeName(schema: Schema | undefined, api: Document): string {
  if (schema === undefined) return "";
  const it = whole(schema, api);
  const isNull = Array.isArray(it.type) ? it.type.includes("null") : (schema.oneOf ?? schema.anyOf ?? []).some((one) => one.type === "null");
  const types = (Array.isArray(it.type) ? it.type : [it.type ?? (it.properties === undefined ? "" : "object")]).filter((type) => type !== "null" && type !== "");
  const name = types[0] === "array" && it.items !== undefined ? `list of ${typeName(it.items, api)}` : types.join(" or ");
  return [name, it.format === undefined || name === "" ? "" : `(${it.format})`, isNull ? "or null" : ""].filter((word) => word !== "").join(" ");
}

function samples({ schema, example, examples }: Media, api: Document): { name: string; value: unknown }[] {
  if (examples !== undefined) return Object.entries(examples).map(([name, it]) => ({ name: it.summary ?? name, value: it.value }));
  if (example !== undefined) return [{ name: "Example", value: example }];
  const own = schema === undefined ? undefined : (whole(schema, api).example ?? whole(schema, api).examples?.[0]);
  return own === undefined ? [] : [{ name: "Example", value: own }];
}
