/**
 * `deno task http-api-page`: writes docs/http-api.md and docs/openapi.json from the routes of both APIs. A route that is in
 * no request of the list, or a request that no route takes, is an error.
 * @module
 */
import { ROUTES as AGENT_ROUTES } from "../src/api/consul/router.ts";
import { routeOf } from "../src/api/http/route.ts";
import { ROUTES as DATABASE_ROUTES } from "../src/api/rqlite/router.ts";
import { AGENT_REQUESTS, DATABASE_REQUESTS, type Request } from "./http_api/requests.ts";

/** Path of the page, from the root of the repository. */
export const HTTP_API_PAGE = "docs/http-api.md";
/** Path of the description in OpenAPI 3.1. */
export const OPENAPI_FILE = "docs/openapi.json";

/** What is read of a route. */
interface Route {
  readonly path: string;
  readonly isPrefix: boolean;
  readonly methods: readonly string[];
  readonly permissions: readonly string[];
}

/** A request with the route that takes it. */
interface Found {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly string[];
  readonly permissions: readonly string[];
}

/** The requests with their routes. @throws {Error} When a route has no request, or a request no route. */
function foundIn(requests: readonly Request[], routes: readonly Route[]): Found[] {
  const seen = new Set<Route>();
  const found = requests.map(([method, path, summary, parameters = ""]) => {
    const plain = path.replace(/\{\w+\}.*/, "");
    const takes = routeOf(routes.filter(({ methods }) => methods.length === 0 || methods.includes(method)), plain);
    if (takes === undefined) throw new Error(`no route takes ${method} ${path}`);
    seen.add(takes);
    return {
      method,
      path,
      summary,
      parameters: [...new Set(parameters.split(" ").filter(Boolean))],
      permissions: takes.permissions,
    };
  });
  const missing = routes.find((route) => !seen.has(route));
  if (missing) throw new Error(`scripts/http_api/requests.ts lacks ${missing.methods.join("|")} ${missing.path}`);
  return found;
}

/** The page, as Markdown; `deno fmt` aligns its tables. */
export function httpApiPage(): string {
  return `# All requests

    curl 'localhost:4001/db/query?pretty' -G --data-urlencode 'q=SELECT 1'

The same as OpenAPI: [openapi.json](openapi.json). What bodies and answers look like: [api.md](api.md),
[changes.md](changes.md), [backup.md](backup.md), [consul.md](consul.md), [kv.md](kv.md), [services.md](services.md).
The permission is that of a [user](users.md); with [tokens](acl.md), their rules count.

## The database

Of \`muster serve\` and of every agent.

${table(foundIn(DATABASE_REQUESTS, DATABASE_ROUTES))}

## Agents

Of \`muster agent\`.

${table(foundIn(AGENT_REQUESTS, AGENT_ROUTES))}
`;
}

function table(found: readonly Found[]): string {
  const rows = found.map(({ method, path, summary, parameters, permissions }) =>
    `| \`${method}\` | \`${path}\` | ${summary} | ${parameters.map((name) => `\`${name}\``).join(" ")} | ${
      permissions.join(", ")
    } |`
  );
  return ["| method | path | what it does | parameters | permission |", "| --- | --- | --- | --- | --- |", ...rows]
    .join("\n");
}

/** The description in OpenAPI 3.1, as JSON. */
export function openApi(): string {
  const paths: Record<string, Record<string, unknown>> = {};
  const all = [
    ...foundIn(DATABASE_REQUESTS, DATABASE_ROUTES).map((one) => ({ ...one, tag: "database" })),
    ...foundIn(AGENT_REQUESTS, AGENT_ROUTES).map((one) => ({ ...one, tag: "agent" })),
  ];
  for (const { method, path, summary, parameters, permissions, tag } of all) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    }));
    const inQuery = parameters.map((name) => ({
      name,
      in: "query",
      allowEmptyValue: true,
      schema: { type: "string" },
    }));
    paths[path] = {
      ...paths[path],
      [method.toLowerCase()]: {
        operationId: `${method.toLowerCase()}${path.replace(/\W+(\w)?/g, (_all, first = "") => first.toUpperCase())}`,
        summary,
        tags: [tag],
        "x-permissions": permissions,
        parameters: [...inPath, ...inQuery],
        responses: {
          "200": { description: "Done; of SQL, each result may still have an error of its own" },
          default: { description: "Not done, or not known to be; the body says why", content: { "text/plain": {} } },
        },
      },
    };
  }
  return `${
    JSON.stringify(
      {
        openapi: "3.1.0",
        info: { title: "muster", version: "1", license: { name: "MIT", identifier: "MIT" } },
        servers: [{ url: "http://localhost:4001" }, { url: "http://localhost:8500" }],
        security: [{}, { basic: [] }, { token: [] }],
        paths,
        components: {
          securitySchemes: {
            basic: { type: "http", scheme: "basic" },
            token: { type: "apiKey", in: "header", name: "X-Consul-Token" },
          },
        },
      },
      null,
      2,
    )
  }\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(HTTP_API_PAGE, httpApiPage());
  await Deno.writeTextFile(OPENAPI_FILE, openApi());
}
