import { assert, assertEquals } from "@std/assert";
import { HTTP_API_PAGE, httpApiPage, openApi, OPENAPI_FILE } from "../../scripts/http_api_page.ts";

/** Without the width of columns, which `deno fmt` decides. */
function lines(page: string): string[] {
  return page.split("\n").map((line) => line.replace(/ +/g, " ").replace(/-{3,}/g, "---").trimEnd());
}

Deno.test("the reference of the HTTP API has every route: else run deno task http-api-page and deno fmt", () => {
  assertEquals(lines(Deno.readTextFileSync(HTTP_API_PAGE)), lines(httpApiPage()));
  assertEquals(JSON.parse(Deno.readTextFileSync(OPENAPI_FILE)), JSON.parse(openApi()));
});

Deno.test("the OpenAPI description names each operation once, and each part of a path", () => {
  const { paths }: {
    paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>>;
  } = JSON.parse(openApi());
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods)).map(({ operationId }) => operationId);
  assertEquals(ids.length, new Set(ids).size);
  for (const [path, methods] of Object.entries(paths)) {
    for (const { parameters } of Object.values(methods)) {
      const parts = parameters.filter((one) => one.in === "path").map(({ name }) => `{${name}}`);
      assertEquals(parts, path.match(/\{\w+\}/g) ?? [], path);
      assertEquals(parameters.length, new Set(parameters.map(({ name, in: at }) => at + name)).size, path);
    }
  }
  assert(ids.length > 100);
});
