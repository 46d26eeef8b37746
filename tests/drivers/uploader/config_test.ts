/** The files of -auto-backup and -auto-restore: every key, defaults, variables, and what is said about a fault (Q18.3). */
import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/base/codec/fields.ts";
import { backupPlan, type PlanParts, reachOf, restorePlan } from "../../../src/drivers/uploader/config.ts";

const PEM = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
const ACCOUNT = JSON.stringify({ client_email: "a@b", private_key: PEM, private_key_id: "k", project_id: "p" });

function parts(variables: Record<string, string> = {}, warnings: string[] = []): PlanParts {
  return {
    variable: (name) => variables[name],
    file(path, forKey) {
      if (path !== "/account.json") throw new ConfigError(`Cannot read ${path} (${forKey}): not found`);
      return ACCOUNT;
    },
    warn: (line) => warnings.push(line),
  };
}

const FILE = { dir: "/backups/", name: "db.gz" };
const S3 = { access_key_id: "id", secret_access_key: "secret", region: "eu-west-1", bucket: "b", path: "p/db" };

function backup(differing: Record<string, unknown>, variables?: Record<string, string>) {
  const text = JSON.stringify({ version: 1, type: "file", interval: "5m", sub: FILE, ...differing });
  return backupPlan(text, parts(variables));
}

function restore(differing: Record<string, unknown>) {
  return restorePlan(JSON.stringify({ version: 1, type: "s3", sub: S3, ...differing }), parts());
}

Deno.test("backupPlan() takes rqlite's keys and keep, with their defaults", () => {
  assertEquals(backup({}), {
    destination: { type: "file", directory: "/backups", name: "db.gz" },
    intervalMs: 300_000,
    isTimestamped: false,
    isCompressed: true,
    isVacuumed: false,
    keep: 0,
  });
  const all = backup({ interval: 1_500_000_000, timestamp: true, no_compress: true, vacuum: true, keep: 3 });
  assertEquals({ ...all, destination: undefined }, {
    destination: undefined,
    intervalMs: 1500,
    isTimestamped: true,
    isCompressed: false,
    isVacuumed: true,
    keep: 3,
  });
});

Deno.test("restorePlan() takes rqlite's keys, file and timestamp, with their defaults", () => {
  const { source: _, ...options } = restore({});
  assertEquals(options, { timeoutMs: 30_000, continuesOnFailure: false, isTimestamped: false });
  const { source, ...others } = restore({
    type: "file",
    sub: FILE,
    timeout: "1m",
    continue_on_failure: true,
    timestamp: true,
  });
  assertEquals(source, { type: "file", directory: "/backups", name: "db.gz" });
  assertEquals(others, { timeoutMs: 60_000, continuesOnFailure: true, isTimestamped: true });
});

Deno.test("variables are replaced, and stand in for keys that are left out", () => {
  const text =
    `{"type":"s3","interval":"1s","sub":{"access_key_id":"$ID","secret_access_key":"\${KEY}","bucket":"b","path":"p"}}`;
  const { destination } = backupPlan(text, parts({ ID: "a", KEY: "s" }));
  assertEquals(destination.type === "s3" && [destination.accessKeyId, destination.secretAccessKey], ["a", "s"]);
  const variables = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "y", AWS_SESSION_TOKEN: "z", AWS_REGION: "eu-1" };
  const bare = backup({ type: "s3", sub: { bucket: "b", path: "p" } }, variables).destination;
  assertEquals(bare, {
    type: "s3",
    bucketUrl: "https://b.s3.eu-1.amazonaws.com",
    bucket: "b",
    region: "eu-1",
    name: "p",
    accessKeyId: "x",
    secretAccessKey: "y",
    sessionToken: "z",
  });
});

Deno.test("a destination tells the Worker's reach, and where its bucket is", () => {
  const s3 = (differing: Record<string, unknown>) => {
    const { destination } = backup({ type: "s3", sub: { ...S3, ...differing } });
    return destination.type === "s3" ? [destination.bucketUrl, ...reachOf(destination).net] : [];
  };
  assertEquals(s3({}), ["https://b.s3.eu-west-1.amazonaws.com", "b.s3.eu-west-1.amazonaws.com:443"]);
  assertEquals(s3({ bucket: "a.b" }), ["https://s3.eu-west-1.amazonaws.com/a.b", "s3.eu-west-1.amazonaws.com:443"]);
  assertEquals(s3({ endpoint: "minio" }), ["https://b.minio", "b.minio:443"]);
  const local = { endpoint: "http://minio:9000/", force_path_style: true };
  assertEquals(s3(local), ["http://minio:9000/b", "minio:9000"]);
  assertEquals(reachOf(backup({}).destination), { net: [], directories: ["/backups"] });
  const sub = { bucket: "b", name: "n", project_id: "p", credentials_path: "/account.json" };
  assertEquals(reachOf(backup({ type: "gcs", sub }).destination), {
    net: ["storage.googleapis.com:443", "oauth2.googleapis.com:443"],
    directories: [],
  });
});

Deno.test("unknown keys are told and ignored", () => {
  const warnings: string[] = [];
  backupPlan(JSON.stringify({ type: "file", interval: "1s", sub: { ...FILE, x: 1 }, keeps: 2 }), parts({}, warnings));
  assertEquals(warnings.map((line) => line.split(" is ignored")[0]), [
    `-auto-backup: unknown key "keeps"`,
    `-auto-backup: sub: unknown key "x"`,
  ]);
});

for (
  const [differing, message] of [
    [{ version: 2 }, `-auto-backup: invalid version: "version" must be 1`],
    [{ type: "ftp" }, `-auto-backup: unsupported storage type: "type" must be "file", "s3" or "gcs"`],
    [
      { interval: undefined },
      `-auto-backup: invalid interval: "interval" must be a duration such as "5m", above 0 and at most 24 days`,
    ],
    [
      { interval: "0s" },
      `-auto-backup: invalid interval: "interval" must be a duration such as "5m", above 0 and at most 24 days`,
    ],
    [{ interval: "5" }, `-auto-backup: "interval" must be a duration such as "30s", or a number of nanoseconds`],
    [{ keep: 2 }, `-auto-backup: "keep" must be a number of backups, 1 or more, and needs "timestamp": true`],
    [
      { keep: -1, timestamp: true },
      `-auto-backup: "keep" must be a number of backups, 1 or more, and needs "timestamp": true`,
    ],
    [{ sub: undefined }, `-auto-backup: "sub" must be an object with dir, name`],
    [{ sub: { ...FILE, dir: "here" } }, `-auto-backup: sub: "dir" must be the absolute path of a directory`],
    [
      { sub: { ...FILE, name: "a/b" } },
      `-auto-backup: sub: "name" must be a plain file name, other than METADATA.json`,
    ],
    [{ sub: { ...FILE, name: ".." } }, `-auto-backup: sub: "name" must be a plain file name, other than METADATA.json`],
    [{ type: "s3", sub: { ...S3, bucket: undefined } }, `-auto-backup: sub: "bucket" must be given`],
    [
      { type: "s3", sub: { ...S3, path: "a/../b" } },
      `-auto-backup: sub: "path" must be the name of an object such as "backups/db.sqlite.gz"`,
    ],
    [
      { type: "s3", sub: { ...S3, endpoint: "http://u:p@h" } },
      `-auto-backup: sub: "endpoint" must be a host, with or without http:// or https:// and :port`,
    ],
    [
      { type: "gcs", sub: { bucket: "b", name: "n", credentials_path: "/none" } },
      `Cannot read /none (credentials_path): not found`,
    ],
  ] as const
) {
  Deno.test(`backupPlan() refuses ${JSON.stringify(differing)}`, () => {
    assertEquals(assertThrows(() => backup(differing), ConfigError).message, message);
  });
}

Deno.test("no message repeats a key, whatever is wrong with it", () => {
  for (const secret of ["sec\nret", "ünsicher", ""]) {
    const sub = { ...S3, secret_access_key: secret };
    const { message } = assertThrows(() => backup({ type: "s3", sub }), ConfigError);
    assertEquals(message.includes(`"secret_access_key" must both be given`), true);
    assertEquals(secret !== "" && message.includes(secret), false);
  }
  assertThrows(() => backupPlan(`{"sub":{"secret_access_key":"hidden"`, parts()), ConfigError, "not valid JSON");
});
