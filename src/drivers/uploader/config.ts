/**
 * `-auto-backup` and `-auto-restore`: what their files can say (Q18.3), and how that becomes a plan. Pure: variables and files are
 * read through the caller. What is wrong is told with what was expected, never with what was found: it may be a key.
 *
 * muster adds to rqlite's keys: `keep`, and the type `file` and `timestamp` for a restore.
 * @module
 */
import { ConfigError, expandVariables, Fields, type Schema } from "../../base/codec/fields.ts";
import { parseJson } from "../../base/codec/json_text.ts";
import type {
  BackupPlan,
  Destination,
  FileDestination,
  GcsDestination,
  RestorePlan,
  S3Destination,
  ServiceAccount,
} from "./api.ts";

/** What the configuration may refer to. */
export interface PlanParts {
  /** Environment variable; undefined when unset. */
  variable(name: string): string | undefined;
  /** Text of a file; throws a {@linkcode ConfigError} that names the key `forKey` when it cannot be read. */
  file(path: string, forKey: string): string;
  /** Told of what is ignored. */
  warn(line: string): void;
}

const BACKUP: Schema = {
  version: "integer",
  type: "text",
  interval: "duration",
  timestamp: "boolean",
  no_compress: "boolean",
  vacuum: "boolean",
  keep: "integer",
  sub: "object",
};
const RESTORE: Schema = {
  version: "integer",
  type: "text",
  timeout: "duration",
  timestamp: "boolean",
  continue_on_failure: "boolean",
  sub: "object",
};
const FILE: Schema = { dir: "text", name: "text" };
const S3: Schema = {
  access_key_id: "text",
  secret_access_key: "text",
  region: "text",
  bucket: "text",
  path: "text",
  endpoint: "text",
  force_path_style: "boolean",
};
const GCS: Schema = { project_id: "text", bucket: "text", name: "text", credentials_path: "text", endpoint: "text" };
const ACCOUNT: Schema = { client_email: "text", private_key: "text", private_key_id: "text", token_uri: "text" };

const VERSION_MAX = 1;
const RESTORE_TIMEOUT_MS = 30_000;
/** Longest pause of the runtime's timers. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const GCS_ENDPOINT = "https://storage.googleapis.com";
const TOKEN_URL = "https://oauth2.googleapis.com/token";
const DEFAULT_REGION = "us-east-1";

/**
 * Reads the text of `-auto-backup`'s file.
 * @throws {ConfigError} When it cannot be used.
 */
export function backupPlan(text: string, parts: PlanParts): BackupPlan {
  const where = "-auto-backup";
  return planOf(text, BACKUP, { where, parts }, (fields) => {
    const destination = destinationOf(fields, { where, parts });
    const intervalMs = fields.durationMs("interval", 0);
    if (!(intervalMs >= 1 && intervalMs <= TIMER_MS_MAX)) {
      throw new ConfigError(
        `${where}: invalid interval: "interval" must be a duration such as "5m", above 0 and at most 24 days`,
      );
    }
    const [isTimestamped, keep] = [fields.boolean("timestamp"), fields.number("keep", 0)];
    if (keep < 0 || keep > 0 && !isTimestamped) {
      throw new ConfigError(`${where}: "keep" must be a number of backups, 1 or more, and needs "timestamp": true`);
    }
    const [isCompressed, isVacuumed] = [!fields.boolean("no_compress"), fields.boolean("vacuum")];
    return { destination, intervalMs, isTimestamped, isCompressed, isVacuumed, keep };
  });
}

/**
 * Reads the text of `-auto-restore`'s file.
 * @throws {ConfigError} When it cannot be used.
 */
export function restorePlan(text: string, parts: PlanParts): RestorePlan {
  const where = "-auto-restore";
  return planOf(text, RESTORE, { where, parts }, (fields) => {
    const timeoutMs = fields.durationMs("timeout", RESTORE_TIMEOUT_MS);
    if (!(timeoutMs >= 1 && timeoutMs <= TIMER_MS_MAX)) {
      throw new ConfigError(`${where}: "timeout" must be a duration such as "30s", above 0 and at most 24 days`);
    }
    const source = destinationOf(fields, { where, parts });
    const [isTimestamped, continuesOnFailure] = [fields.boolean("timestamp"), fields.boolean("continue_on_failure")];
    return { source, isTimestamped, timeoutMs, continuesOnFailure };
  });
}

/** Where a part of the configuration stands, and what it may refer to. */
interface Context {
  readonly where: string;
  readonly parts: PlanParts;
}

function planOf<T>(text: string, schema: Schema, { where, parts }: Context, make: (fields: Fields) => T): T {
  const warn = (line: string) => parts.warn(line);
  const fields = new Fields(parseJson(expandVariables(text, parts.variable), where), schema, { where, warn });
  if (fields.number("version", VERSION_MAX) > VERSION_MAX) {
    throw new ConfigError(`${where}: invalid version: "version" must be ${VERSION_MAX}`);
  }
  return make(fields);
}

function destinationOf(fields: Fields, context: Context): Destination {
  switch (fields.text("type")) {
    case "file":
      return fileDestination(subOf(fields, FILE, context.where), context);
    case "s3":
      return s3Destination(subOf(fields, S3, context.where), context);
    case "gcs":
      return gcsDestination(subOf(fields, GCS, context.where), context);
    default:
      throw new ConfigError(`${context.where}: unsupported storage type: "type" must be "file", "s3" or "gcs"`);
  }
}

function subOf(fields: Fields, schema: Schema, where: string): Fields {
  const sub = fields.object("sub", schema);
  if (!sub) throw new ConfigError(`${where}: "sub" must be an object with ${Object.keys(schema).join(", ")}`);
  return sub;
}

function fileDestination(sub: Fields, { where }: Context): FileDestination {
  const [directory, name] = [sub.text("dir").replace(/(?<=.)\/+$/, ""), sub.text("name")];
  if (!/^(\/|[A-Za-z]:[\\/])/.test(directory)) {
    throw new ConfigError(`${where}: sub: "dir" must be the absolute path of a directory`);
  }
  if (name === "" || name === "METADATA.json" || /[/\\\0]|^\.{1,2}$/.test(name)) {
    throw new ConfigError(`${where}: sub: "name" must be a plain file name, other than METADATA.json`);
  }
  return { type: "file", directory, name };
}

function s3Destination(sub: Fields, { where, parts }: Context): S3Destination {
  const bucket = required(sub, "bucket", where);
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(bucket)) {
    throw new ConfigError(`${where}: sub: "bucket" must be the name of a bucket: letters, digits, ".", "_" and "-"`);
  }
  const region = sub.text("region") || (parts.variable("AWS_REGION") ?? "") || DEFAULT_REGION;
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) {
    throw new ConfigError(`${where}: sub: "region" must be the name of a region such as "us-east-1"`);
  }
  const suffix = region.startsWith("cn-") ? ".cn" : "";
  const endpoint = endpointOf(sub, `https://s3.${region}.amazonaws.com${suffix}`, where);
  // Names with dots match no certificate as a part of the host.
  const isInPath = sub.boolean("force_path_style") || bucket.includes(".") && endpoint.startsWith("https:");
  return {
    type: "s3",
    bucketUrl: isInPath ? `${endpoint}/${bucket}` : endpoint.replace("://", `://${bucket}.`),
    bucket,
    region,
    name: objectName(sub, "path", where),
    ...s3Credentials(sub, { where, parts }),
  };
}

function s3Credentials(
  sub: Fields,
  { where, parts }: Context,
): Pick<S3Destination, "accessKeyId" | "secretAccessKey" | "sessionToken"> {
  const given = { accessKeyId: sub.text("access_key_id"), secretAccessKey: sub.text("secret_access_key") };
  const isGiven = given.accessKeyId !== "" || given.secretAccessKey !== "";
  const variable = (name: string) => parts.variable(name) ?? "";
  const keys = isGiven ? { ...given, sessionToken: "" } : {
    accessKeyId: variable("AWS_ACCESS_KEY_ID"),
    secretAccessKey: variable("AWS_SECRET_ACCESS_KEY"),
    sessionToken: variable("AWS_SESSION_TOKEN"),
  };
  if (
    ![keys.accessKeyId, keys.secretAccessKey].every((key) => /^[!-~]+$/.test(key)) ||
    !/^[!-~]*$/.test(keys.sessionToken)
  ) {
    throw new ConfigError(
      `${where}: sub: "access_key_id" and "secret_access_key" must both be given as printable ASCII, ` +
        "or both be left out and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY be set",
    );
  }
  return keys;
}

function gcsDestination(sub: Fields, { where, parts }: Context): GcsDestination {
  const bucket = required(sub, "bucket", where);
  const path = sub.text("credentials_path");
  return {
    type: "gcs",
    endpoint: endpointOf(sub, GCS_ENDPOINT, where),
    bucket,
    name: objectName(sub, "name", where),
    account: path === "" ? undefined : serviceAccount(parts.file(path, "credentials_path"), where),
  };
}

function serviceAccount(text: string, where: string): ServiceAccount {
  const place = `${where}: credentials_path`;
  const fields = new Fields(parseJson(text, place), ACCOUNT, { where: place, warn: () => {} }); // it has keys for other uses
  const account = {
    email: required(fields, "client_email", place),
    keyId: fields.text("private_key_id"),
    privateKey: required(fields, "private_key", place),
    tokenUrl: fields.text("token_uri", TOKEN_URL),
  };
  if (!account.privateKey.includes("-----BEGIN PRIVATE KEY-----")) {
    throw new ConfigError(`${place}: "private_key" must be a private key as PEM (PKCS #8)`);
  }
  if (!isHttp(account.tokenUrl)) throw new ConfigError(`${place}: "token_uri" must be an http or https URL`);
  return account;
}

/** A name that stays what it is in a URL. */
function objectName(sub: Fields, key: string, where: string): string {
  const name = required(sub, key, where).replace(/^\//, "");
  if (name.split("/").some((element) => element === "" || element === "." || element === "..") || name.length > 900) {
    throw new ConfigError(`${where}: sub: "${key}" must be the name of an object such as "backups/db.sqlite.gz"`);
  }
  return name;
}

function endpointOf(sub: Fields, otherwise: string, where: string): string {
  const given = sub.text("endpoint").replace(/\/+$/, "");
  const endpoint = given === "" ? otherwise : given.includes("://") ? given : `https://${given}`;
  const url = isHttp(endpoint) ? new URL(endpoint) : undefined;
  if (
    !url || url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== ""
  ) {
    throw new ConfigError(`${where}: sub: "endpoint" must be a host, with or without http:// or https:// and :port`);
  }
  return url.origin;
}

function isHttp(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function required(fields: Fields, key: string, where: string): string {
  const text = fields.text(key);
  if (text === "") {
    throw new ConfigError(`${where}: ${where.includes("credentials") ? "" : "sub: "}"${key}" must be given`);
  }
  return text;
}

/** What a Worker needs to reach a destination: `host:port` each, or a directory. */
export function reachOf(
  destination: Destination,
): { readonly net: readonly string[]; readonly directories: readonly string[] } {
  switch (destination.type) {
    case "file":
      return { net: [], directories: [destination.directory] };
    case "s3":
      return { net: [hostAndPort(destination.bucketUrl)], directories: [] };
    case "gcs": {
      const urls = [destination.endpoint, ...(destination.account ? [destination.account.tokenUrl] : [])];
      return { net: urls.map(hostAndPort), directories: [] };
    }
  }
}

function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
