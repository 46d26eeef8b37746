/**
 * Keys and flags of Consul that this program knows and does not follow: what it says of each. Data.
 * @module
 */

/**
 * Keys of Consul 1.14 to 1.22 of parts that are not here: they are named at the start as without effect. What stands in
 * them is not looked at.
 */
export const FOREIGN_KEYS: ReadonlySet<string> = new Set([
  // ACLs, with the names that they had before version 1.4
  ..."acl_agent_master_token acl_agent_token acl_datacenter acl_default_policy acl_down_policy".split(" "),
  ..."acl_enable_key_list_policy acl_master_token acl_replication_token acl_token acl_ttl enable_acl_replication".split(
    " ",
  ),
  "atlas_acl_token", // of the hosted service of Consul 0.5
  // Mesh, peering, the cloud
  ..."auto_config cloud config_entries connect default_intention_policy discovery_max_stale".split(" "),
  ..."enable_central_service_config peering primary_gateways primary_gateways_interval xds".split(" "),
  // The paid edition
  ..."audit license_path license_poll_base_time license_poll_max_time license_update_base_time".split(" "),
  ..."license_update_max_time partition reporting segment segment_limit segment_name_limit snapshot_agent".split(" "),
  // Addresses of other families and datacenters, and who may join
  ..."advertise_addr_ipv4 advertise_addr_ipv6 advertise_addr_wan_ipv4 advertise_addr_wan_ipv6".split(" "),
  ..."serf_lan_allowed_cidrs serf_wan_allowed_cidrs tagged_addresses".split(" "),
  // Insides of Consul's programs
  ..."ae_interval build_date cache check_deregister_interval_min check_reap_interval consul experiments".split(" "),
  ..."disable_http_unprintable_char_filter enable_agent_tls_for_checks locality log_sublevels raft_boltdb".split(" "),
  ..."revision server_name sync_coordinate_interval_min sync_coordinate_rate_target ui_content_path".split(" "),
  ..."version version_metadata version_prerelease".split(" "),
]);

/** Other names of keys. */
export const KEY_ALIASES: ReadonlyMap<string, string> = new Map([["non_voting_server", "read_replica"]]);
