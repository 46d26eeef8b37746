/**
 * healthcheck.sh, run for real against a small server.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { freePort } from "../harness/processes.ts";
import { deployPath } from "./manifests.ts";

const HEALTHCHECK = deployPath("healthcheck.sh");

async function isHealthy(address: string, ...args: readonly string[]): Promise<boolean> {
  const { code } = await new Deno.Command(HEALTHCHECK, {
    args: [...args],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HTTP_ADDR: address },
    stdin: "null",
    stderr: "null",
  }).output();
  assert(code === 0 || code === 1, `Docker takes 0 and 1, not ${code}`);
  return code === 0;
}

Deno.test("healthcheck.sh tells by the status of /readyz whether a node is healthy", async () => {
  const asked: string[] = [];
  let status = 200;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(`${request.method} ${request.url.slice(request.url.indexOf("/", 7))}`);
    return new Response("[+]node ok", { status });
  });
  const { port } = server.addr;
  try {
    assert(await isHealthy(`0.0.0.0:${port}`));
    assert(await isHealthy(`127.0.0.1:${port}`));
    assert(await isHealthy(`:${port}`));
    assert(await isHealthy(`localhost:${port}`, "/readyz?noleader"));
    status = 503;
    assert(!await isHealthy(`[::]:${port}`));
    assertEquals(asked, [
      ...["GET /readyz", "GET /readyz", "GET /readyz"],
      ...["GET /readyz?noleader", "GET /readyz"],
    ]);
  } finally {
    await server.shutdown();
  }
});

Deno.test("healthcheck.sh fails when nothing listens, and when no status comes", async () => {
  assert(!await isHealthy(`127.0.0.1:${freePort()}`));
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const hangUp = listener.accept().then((connection) => connection.close());
  assert(!await isHealthy(`127.0.0.1:${listener.addr.port}`));
  await hangUp;
  listener.close();
});
