/** Files that were written for Consul: which keys are taken, named as without effect, or refused (C5.1). */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { agentSetup } from "../../../src/program/config/agent_config.ts";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { nodeDefaults } from "../../../src/program/config/serve_config.ts";
import { Settings, SettingsError } from "../../../src/program/config/settings.ts";

/** The keys of Consul 1.14 to 1.22 at the top level. */
const KEYS = `acl acl_agent_master_token acl_agent_token acl_datacenter acl_default_policy acl_down_policy
  acl_enable_key_list_policy acl_master_token acl_replication_token acl_token acl_ttl addresses advertise_addr
  advertise_addr_ipv4 advertise_addr_ipv6 advertise_addr_wan advertise_addr_wan_ipv4 advertise_addr_wan_ipv6
  advertise_reconnect_timeout ae_interval alt_domain audit auto_config auto_encrypt auto_reload_config autopilot bind_addr
  bootstrap bootstrap_expect build_date ca_file ca_path cache cert_file check check_deregister_interval_min
  check_output_max_size check_reap_interval check_update_interval checks client_addr cloud config_entries connect consul
  data_dir datacenter default_intention_policy default_query_time disable_anonymous_signature disable_coordinates
  disable_host_node_id disable_http_unprintable_char_filter disable_keyring_file disable_remote_exec disable_update_check
  discard_check_output discovery_max_stale dns_config domain enable_acl_replication enable_agent_tls_for_checks
  enable_central_service_config enable_debug enable_local_script_checks enable_script_checks enable_syslog encrypt
  encrypt_verify_incoming encrypt_verify_outgoing experiments gossip_lan gossip_wan http_config key_file leave_on_terminate
  license_path license_poll_base_time license_poll_max_time license_update_base_time license_update_max_time limits locality
  log_file log_json log_level log_rotate_bytes log_rotate_duration log_rotate_max_files log_sublevels max_query_time node_id
  node_meta node_name non_voting_server partition peering performance pid_file ports primary_datacenter primary_gateways
  primary_gateways_interval protocol raft_boltdb raft_logstore raft_protocol raft_snapshot_interval raft_snapshot_threshold
  raft_trailing_logs read_replica reconnect_timeout reconnect_timeout_wan recursors rejoin_after_leave reporting
  retry_interval retry_interval_wan retry_join retry_join_wan retry_max retry_max_wan revision rpc segment segment_limit
  segment_name_limit segments serf_lan serf_lan_allowed_cidrs serf_wan serf_wan_allowed_cidrs server server_name
  server_rejoin_age_max service services session_ttl_min skip_leave_on_interrupt snapshot_agent start_join start_join_wan
  sync_coordinate_interval_min sync_coordinate_rate_target syslog_facility tagged_addresses telemetry tls tls_cipher_suites
  tls_min_version tls_prefer_server_cipher_suites translate_wan_addrs ui ui_config ui_content_path ui_dir unix_sockets
  use_streaming_backend verify_incoming verify_incoming_https verify_incoming_rpc verify_outgoing verify_server_hostname
  version version_metadata version_prerelease watches xds`.split(/\s+/);

/** What is made of a file. */
function setup(text: string, name = "f.json") {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/${name}`, text);
    const settings = Settings.load(Flags.parse(["-data-dir=d", `-config-file=${directory}/${name}`], AGENT_FLAGS));
    const machine = { hostname: "h", interfaces: [{ name: "e", family: "IPv4", address: "10.0.0.1" }] };
    return agentSetup(settings, { isDev: false, standard: nodeDefaults(), machine, devDirectory: "" });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("every key of Consul is known", () => {
  for (const key of KEYS) {
    try {
      setup(JSON.stringify({ [key]: {} }));
    } catch (error) {
      assertEquals(
        error instanceof SettingsError && !/invalid config key/.test(error.message),
        true,
        `${key}: ${error}`,
      );
    }
  }
  assertThrows(() => setup(`{"no_such_key": 1}`), SettingsError, "invalid config key no_such_key");
});

Deno.test("parts that are not here are named as without effect, whatever stands in them", () => {
  const { warnings } = setup(
    `
    peering { enabled = true }
    connect { enabled = true  ca_config { leaf_cert_ttl = "72h" } }
    license_path = "/etc/license"
    acl { enabled = false  default_policy = "deny"  role_ttl = "1s"  tokens { agent = "secret" } }
    auto_config { enabled = false }
    ports { grpc = 8502  grpc_tls = 8503  proxy_min_port = 1 }
    audit { enabled = true  sink "file" { type = "file" } }
    http_config { response_headers { "X-A" = "b" }  block_endpoints = [] }
    segments = [{ name = "a" }, { name = "b" }]
  `,
    "f.hcl",
  );
  const parts = [
    "peering",
    "connect",
    "license_path",
    "role_ttl",
    "auto_config",
    "grpc",
    "grpc_tls",
    "proxy_min_port",
    "audit",
  ];
  assertEquals(
    warnings.map((line) => /"(\w+)" has no effect in this version$/.exec(line)?.[1]),
    [...parts, "http_config", "segments"],
  );
});

Deno.test("letter case does not matter, null is not set, and read_replica has its older name", () => {
  const { agent, config, warnings } = setup(
    `{"Node_Name": "n", "DNS_config": {"Udp_Answer_Limit": 5, "a_record_limit": null}, "non_voting_server": true, "domain": null}`,
  );
  assertEquals([agent.nodeName, agent.dns.udpAnswerLimit, config.isVoter], ["n", 5, false]);
  assertEquals([agent.domains, warnings], [["consul.", "muster."], []]);
  assertThrows(() => setup(`{"nodeName": "n"}`), SettingsError, "invalid config key nodeName");
});

Deno.test("a part of the API has its own address, so that it is not open where a file closes it", () => {
  const { config, agent } = setup(
    `{"client_addr": "0.0.0.0", "addresses": {"http": "127.0.0.1 10.0.0.1", "https": "10.0.0.1"}, "ports": {"http": 1}}`,
  );
  assertEquals([config.httpAddrs, agent.dnsAddrs], [["127.0.0.1:1", "10.0.0.1:1"], ["0.0.0.0:8600"]]);
  assertEquals(config.httpAdvertisedAddr, "127.0.0.1:1");
  const sockets = setup(`{"addresses": {"http": "unix:///run/a 10.0.0.1"}, "ports": {"http": 1}}`).config;
  assertEquals([sockets.httpAddrs, sockets.httpAdvertisedAddr], [["unix:///run/a", "10.0.0.1:1"], "10.0.0.1:1"]);
  const faults = [
    [`{"addresses": {"http": "unix://"}}`, "addresses.http: expected unix://PATH"],
    [`{"addresses": {"https": "unix:///run/a"}}`, "addresses.https: a unix socket has no TLS"],
    [`{"addresses": {"dns": "unix:///run/a"}}`, "DNS address cannot be a unix socket"],
  ];
  for (const [file, message] of faults) assertEquals(assertThrows(() => setup(file), SettingsError).message, message);
});

Deno.test("what an operator relies on for safety, and is not done here, is refused", () => {
  const faults: [file: string, message: RegExp][] = [
    [`{"acl_datacenter": "dc1"}`, /^acl_datacenter is not supported/],
    [`{"auto_config": {"enabled": true}}`, /^auto_config\.enabled is not supported/],
    [`{"auto_encrypt": {"tls": true}}`, /^auto_encrypt\.tls is not supported/],
    [`{"disable_keyring_file": true}`, /^disable_keyring_file is not supported/],
    [`{"http_config": {"block_endpoints": ["/v1/agent/"]}}`, /^http_config\.block_endpoints is not supported/],
    [`{"http_config": {"allow_write_http_from": ["127.0.0.0/8"]}}`, /^http_config\.allow_write_http_from is not/],
    [`{"serf_lan_allowed_cidrs": ["10.0.0.0/8"]}`, /^serf_lan_allowed_cidrs is not supported/],
    [`{"verify_incoming": true}`, /VerifyIncoming set but no CA certificates were provided/],
    [`{"tls": {"internal_rpc": {"verify_incoming": true}}}`, /VerifyIncoming set but no CA certificates were provided/],
  ];
  for (const [file, message] of faults) {
    assertMatch(assertThrows(() => setup(file), SettingsError, undefined, file).message, message);
  }
});
