/** The settings of access control, and what it keeps in files. */
import { assertEquals, assertThrows } from "@std/assert";
import { aclSettings } from "../../../src/program/config/acl.ts";
import { AclFiles } from "../../../src/program/config/acl_files.ts";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { Settings, SettingsError } from "../../../src/program/config/settings.ts";
import { DENY } from "../../harness/acl.ts";

/** What is made of a file of HCL. */
function settingsOf(text: string) {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/f.hcl`, text);
    return aclSettings(Settings.load(Flags.parse([`-config-file=${directory}/f.hcl`], AGENT_FLAGS)));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("acl { … } is read, with the names of before", () => {
  assertEquals(settingsOf(""), undefined);
  assertEquals(settingsOf(`acl { default_policy = "deny" }`), undefined, "it is off");
  assertEquals(settingsOf("acl { enabled = true }"), {
    defaultPolicy: "allow",
    downPolicy: "extend-cache",
    tokenTtlMs: 30_000,
    listsKeys: false,
    keepsTokens: false,
    initialManagement: "",
    tokens: {},
  });
  assertEquals(
    settingsOf(`acl {
      enabled = true  default_policy = "deny"  down_policy = "async-cache"  token_ttl = "5s"  enable_token_persistence = true
      enable_key_list_policy = true
      tokens { initial_management = "m"  agent = "a"  default = "d"  agent_recovery = "r"
        config_file_service_registration = "c"  dns = "n"  replication = "p" }
    }`),
    {
      defaultPolicy: "deny",
      downPolicy: "async-cache",
      tokenTtlMs: 5000,
      listsKeys: true,
      keepsTokens: true,
      initialManagement: "m",
      tokens: {
        default: "d",
        agent: "a",
        agent_recovery: "r",
        config_file_service_registration: "c",
        dns: "n",
        replication: "p",
      },
    },
  );
  const before = settingsOf(`acl { enabled = true tokens { master = "m" agent_master = "r" } }`);
  assertEquals([before?.initialManagement, before?.tokens], ["m", { agent_recovery: "r" }]);
});

Deno.test("settings of access control that cannot be are refused, without a secret in the message", () => {
  const cases = [
    [`acl { enabled = true default_policy = "maybe" }`, "Unsupported acl.default_policy"],
    [`acl { enabled = true down_policy = "maybe" }`, "Unsupported acl.down_policy"],
    [`acl { enabled = true token_ttl = "-1s" }`, "acl.token_ttl cannot be negative"],
    [`acl { enabled = true tokens { agent = 7 } }`, "expected a text, found another kind of value"],
    [`acl { enabled = true tokens { agnet = "secret" } }`, "invalid config key agnet"],
  ];
  for (const [text, message] of cases) assertThrows(() => settingsOf(text), SettingsError, message);
});

Deno.test("tokens that are kept win over those of the configuration; a file that cannot be read is left out", () => {
  const directory = Deno.makeTempDirSync();
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  try {
    const files = new AclFiles(directory);
    const settings = { ...DENY, keepsTokens: true, tokens: { agent: "a", default: "d" } };
    assertEquals(files.withKept(settings, log), settings);
    files.keepTokens(JSON.stringify({ agent: "b", other: "x" }));
    assertEquals(files.withKept(settings, log).tokens, { agent: "b", default: "d" });
    assertEquals(files.withKept({ ...settings, keepsTokens: false }, log).tokens, { agent: "a", default: "d" });
    for (const text of ["{secret", `{"agent": 7}`, "x".repeat(70_000)]) {
      files.keepTokens(text);
      assertEquals(files.withKept(settings, log), settings);
    }
    assertEquals([said.length, said.some((line) => line.includes("secret"))], [3, false]);

    assertEquals(files.takeReset(log), 0);
    Deno.writeTextFileSync(`${directory}/acl-bootstrap-reset`, " 13\n");
    assertEquals([files.takeReset(log), files.takeReset(log)], [13, 0], "the file is gone");
    Deno.writeTextFileSync(`${directory}/acl-bootstrap-reset`, "thirteen");
    assertEquals(files.takeReset(log), 0);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
